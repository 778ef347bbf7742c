// Training of many small networks at the same time on one GPU: images a second, whole steps, and
// what a mixture costs over a plain supernet.
//
//   bench_joint_torch CIFAR10_FOLDER [--repeats 3] [--trace FOLDER] [CASE ...]
//
// Cases (all where none is named): those of cases(). `--trace` writes a trace of some steps of each
// case for chrome://tracing (FOLDER/CASE.json). Without a GPU it says so and measures nothing.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/cuda.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <set>

#include "mosaic/core/process.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/training/trainer.hpp"

using namespace mosaic;

namespace {

using Options = std::map<std::string, std::string>;

Options poolings(const std::string& width, const std::string& widening) {
  return {{"layers", "10"}, {"poolings", "2"}, {"width", width}, {"widening", widening}};
}

struct Case {
  std::string name;
  std::string space = "resnet-pooling";
  Options options = poolings("8", "2");
  bool alone = false;  ///< a network of each architecture; else supernets
  std::int64_t members = 8;
  supernet::SharingSettings sharing = {};
  /// The last one is timed; before it, each architecture's pass is recorded.
  std::int64_t epochs = 3;
};

std::vector<Case> cases() {
  const auto mixture = [](const std::string& kind, double share = 1) {
    return supernet::SharingSettings{.kind = kind, .copies = 2, .share = share};
  };
  const auto cells = [&](const std::string& kind) {
    return Case{.name = "cells-" + kind,
                .space = "nasbench201",
                .options = {{"channels", "8"}, {"cells", "5"}},
                .members = 3,
                .sharing = mixture(kind),
                .epochs = 1};
  };
  return {
      {.name = "alone-16",
       .options = poolings("16", "1"),
       .alone = true,
       .members = 36,
       .epochs = 1},
      {.name = "alone-8-16-32", .alone = true, .members = 36, .epochs = 1},
      {.name = "plain", .sharing = mixture("plain")},
      {.name = "layer-wise-m2", .sharing = mixture("layer-wise")},
      {.name = "layer-wise-half", .sharing = mixture("layer-wise", 0.5)},
      {.name = "neuron-wise-m2", .sharing = mixture("neuron-wise")},
      cells("plain"),
      cells("layer-wise"),
  };
}

/// Takes a trace between two reports of a training.
class Trace {
 public:
  explicit Trace(std::string path) : path_(std::move(path)) {}
  void begin() {
    if (path_.empty()) return;
    torch::autograd::profiler::prepareProfiler(config_, activities_);
    torch::autograd::profiler::enableProfiler(config_, activities_);
    on_ = true;
  }
  void end() {
    if (!on_) return;
    torch::autograd::profiler::disableProfiler()->save(path_);
    on_ = false;
    path_.clear();
  }

 private:
  std::string path_;
  bool on_ = false;
  torch::profiler::impl::ProfilerConfig config_{torch::profiler::impl::ProfilerState::KINETO};
  std::set<torch::profiler::impl::ActivityType> activities_{
      torch::profiler::impl::ActivityType::CPU, torch::profiler::impl::ActivityType::CUDA};
};

/// Images a second, summed over networks: the median of the last epoch's reports.
double rate(const Case& wanted, const tasks::Task& task, const std::string& trace_path) {
  const auto space = spaces::Space::make(wanted.space, task.shape(), wanted.options);
  supernet::TrainSettings settings;
  settings.epochs = wanted.epochs;
  settings.clip = 0;
  settings.autotune = true;
  std::vector<double> rates;
  Trace trace(trace_path);
  supernet::TrainHooks hooks;
  hooks.report = [&](const supernet::TrainProgress& now) {
    if (now.epoch > static_cast<double>(settings.epochs) - 0.6)
      rates.push_back(now.examples_per_second);
    trace.end();
    if (now.epoch > static_cast<double>(settings.epochs) - 0.2 &&
        now.epoch < static_cast<double>(settings.epochs) - 0.1)
      trace.begin();
  };
  std::vector<std::int64_t> orders;
  if (wanted.alone) {
    std::vector<supernet::Subnet> subnets;
    std::vector<supernet::Subnet*> members;
    for (int i = 0; i < wanted.members; ++i) {
      subnets.push_back(supernet::fresh_subnet(space, {i % 36}, static_cast<std::uint64_t>(i)));
      subnets.back().to("cuda");
      orders.push_back(0);
    }
    for (auto& subnet : subnets) members.push_back(&subnet);
    supernet::train(*supernet::subnet_trainee(members, orders), task, settings, hooks);
  } else {
    std::vector<std::unique_ptr<supernet::Supernet>> supernets;
    std::vector<supernet::Supernet*> members;
    for (int i = 0; i < wanted.members; ++i) {
      supernets.push_back(std::make_unique<supernet::Supernet>(space, wanted.sharing,
                                                               static_cast<std::uint64_t>(i)));
      supernets.back()->to("cuda");
      members.push_back(supernets.back().get());
      orders.push_back(i);
    }
    supernet::train(*supernet::supernet_trainee(members, settings, 1, orders), task, settings,
                    hooks);
  }
  trace.end();
  return core::median(rates);
}

void run(const std::string& data, const std::set<std::string>& names, int repeats,
         const std::string& trace) {
  if (!torch::cuda::is_available()) {
    std::cout << "skipped: no GPU here\n";
    return;
  }
  const auto task = tasks::make_task({.name = "cifar10", .path = data, .validation = 0.5});
  task->to("cuda");
  std::cout << supernet::describe_device("cuda") << "\n";
  std::map<std::string, std::vector<double>> rates;
  for (int repeat = 0; repeat < repeats; ++repeat)
    for (const auto& known : cases())
      if (names.empty() || names.contains(known.name))
        rates[known.name].push_back(rate(
            known, *task, trace.empty() || repeat > 0 ? "" : trace + "/" + known.name + ".json"));
  for (const auto& known : cases()) {
    if (!rates.contains(known.name)) continue;
    const auto& own = rates[known.name];
    std::printf("%-16s %9.0f images/s", known.name.c_str(), core::median(own));
    const std::string base = known.space == "nasbench201" ? "cells-plain" : "plain";
    if (rates.contains(base) && !known.alone) {
      std::vector<double> ratios;
      for (std::size_t i = 0; i < own.size(); ++i) ratios.push_back(rates[base][i] / own[i]);
      std::printf(", a step costs %.2f plain ones (%.2f-%.2f)", core::median(ratios),
                  *std::min_element(ratios.begin(), ratios.end()),
                  *std::max_element(ratios.begin(), ratios.end()));
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("speed of training side by side");
  std::string data, trace;
  std::set<std::string> names;
  int repeats = 3;
  app.add_option("CIFAR10", data, "folder of CIFAR-10")->required();
  app.add_option("CASE", names, "default: all");
  app.add_option("--repeats", repeats)->capture_default_str();
  app.add_option("--trace", trace, "folder for a trace of each case");
  CLI11_PARSE(app, argc, argv);
  try {
    run(data, names, repeats, trace);
  } catch (const std::exception& error) {
    std::cerr << "bench_joint_torch: " << error.what() << "\n";
    return 1;
  }
}
