// Times training steps of supernets whose architecture is another one at every step: HAT's WMT
// space by default, any other by name; beside peers in Python: bench/engine.sh.
//   bench_engine_torch [--sharing layer-wise] [--routed ffn] [--batch 64] [--length 64] [--steps
//   60] bench_engine_torch --space nasbench201 --option channels=8 --option cells=5 --members 3
//   --batch 256
// Translation attends to the last encoder layer alone, as the peers do. All architectures have run
// three times before they are timed: launched, recorded, replayed. --launch: nothing is recorded.
//   bench_engine_torch --evaluate --precision bfloat16
// scores them instead, on a batch each.
#include <ATen/ATen.h>

#include <torch/cuda.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>

#include "cross_entropy.hpp"
#include "engine/capture.hpp"
#include "engine/profile.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "training/gradient.hpp"
#include "training/optimizer.hpp"
#include "training/pieces.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

struct Options {
  std::string space = "hat-translation", sharing = "layer-wise", routed = "all", device = "cuda";
  std::vector<std::string> options;
  std::int64_t vocabulary = 32'768, batch = 64, length = 64, copies = 2;
  std::size_t members = 1;
  int steps = 60, repeats = 3;
  bool launch = false, profile = false, evaluate = false;
  std::string precision = "float32";

  bool translates() const { return space == "hat-translation"; }
};

spaces::Space space_of(const Options& o) {
  std::map<std::string, std::string> options;
  if (o.translates()) options = {{"size", "wmt"}, {"dropout_percent", "0"}};
  for (const auto& option : o.options) {
    const auto equals = option.find('=');
    options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  return spaces::Space::make(o.space,
                             o.translates()
                                 ? spaces::translation_task(o.vocabulary, o.length, o.length)
                                 : spaces::image_task({3, 32, 32}, 10),
                             options);
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void wait(const std::string& device) {
  if (device != "cpu") torch::cuda::synchronize();
}

/// One batch of noise: sentences of which none is padded, written as their own targets, or images.
class Noise : public tasks::Task {
 public:
  Noise(const spaces::Space& space, const Options& o) : shape_(space.task()) {
    const auto graph = space.bind(space.largest());
    batch_.inputs = random_inputs(graph, "forward", o.batch, 1, o.device,
                                  {{"source_length", o.length}, {"target_length", o.length}});
    auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
    batch_.targets.emplace_back(
        "class", o.translates()
                     ? batch_.inputs.back().second
                     : at::randint(10, {o.batch}, generator, at::kLong).to(at::Device(o.device)));
  }
  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return name_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(tasks::Split) const override { return batch_.examples(); }
  void to(const std::string&) override {}
  tasks::Batch batch(const tasks::Selection&) const override { return batch_; }
  at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                    double smoothing) const override {
    const at::Tensor& wanted = tasks::tensor(targets, "class");
    return tasks::cross_entropies(outputs.flatten(0, -2), wanted.flatten(), smoothing)
        .view({wanted.size(0), -1})
        .mean(1);
  }
  bool takes_bfloat16() const override { return true; }
  std::vector<tasks::MetricType> metrics() const override { return {}; }

 private:
  spaces::TaskShape shape_;
  tasks::Batch batch_;
  std::string name_ = "noise";
};

class Bench {
 public:
  explicit Bench(const Options& o) : o_(o), space_(space_of(o)) {
    set_threads(0);
    settings_.optimizer = o.translates() ? "adamw" : "sgd";
    settings_.learning_rate = 1e-4;
    settings_.label_smoothing = 0.1;
    auto& members = members_;
    for (std::size_t i = 0; i < o.members; ++i) {
      nets_.push_back(std::make_unique<Supernet>(
          space_,
          SharingSettings{
              .kind = o.sharing, .copies = o.sharing == "plain" ? 1 : o.copies, .routed = o.routed},
          i + 1));
      nets_.back()->to(o.device);
      members.push_back(nets_.back().get());
    }
    task_ = std::make_unique<Noise>(space_, o);
    if (!o.evaluate) {
      trainee_ = supernet_trainee(members, settings_, 1);
      optimizer_ = std::make_unique<Optimizer>(*trainee_, settings_);
    }
    core::Stream stream(1, "architectures");
    for (int i = 0; i < o.steps; ++i) architectures_.push_back(random(stream));
  }

  void operator()() {
    const OwnStream own(o_.device);
    auto how = gradient_settings(settings_, o_.device);
    how.replay = !o_.launch;
    Gradients gradients(*trainee_, *task_, how);
    const double begin = now();
    const int before = o_.launch ? 1 : 3;
    for (int time = 0; time < before; ++time) round(gradients);
    wait(o_.device);
    const double warm = now() - begin;
    std::vector<double> all, host;
    for (int repeat = 0; repeat < o_.repeats; ++repeat) {
      wait(o_.device);
      const double first = now();
      round(gradients);
      wait(o_.device);
      all.push_back((now() - first) / o_.steps);
    }
    const auto batch = training_batch(*trainee_, *task_, 0, 0, o_.batch);
    for (const auto& genotype : architectures_) {  // into an empty queue
      wait(o_.device);
      const double first = now();
      step(gradients, genotype, batch);
      host.push_back(now() - first);
    }
    std::sort(all.begin(), all.end());
    std::sort(host.begin(), host.end());
    double parameters = 0;
    for (const auto& parameter : trainee_->parameters())
      parameters += static_cast<double>(parameter.value.numel());
    const double median = all[all.size() / 2];
    std::printf(
        "%s %s, %zu x %lld: %.2f ms a step (%.2f to %.2f), %.0f examples/s, host %.2f ms, "
        "first %d rounds %.1f s, %.1f GiB, %.1f M parameters, loss %.3f\n",
        o_.space.c_str(), o_.sharing.c_str(), o_.members, static_cast<long long>(o_.batch),
        1e3 * median, 1e3 * all.front(), 1e3 * all.back(),
        static_cast<double>(o_.batch) * static_cast<double>(o_.members) / median,
        1e3 * host[host.size() / 2], before, warm, reserved_bytes(o_.device) / (1 << 30),
        parameters / 1e6, loss_.item<double>());
    if (o_.profile) print(profiled([&] { round(gradients); }));
  }

  /// Scores all architectures in rounds: the first launches, the second records.
  void evaluate() {
    const OwnStream own(o_.device);
    Scorer scorer(members_, *task_,
                  {.examples = o_.batch, .precision = o_.precision, .metrics = {"loss"}},
                  !o_.launch);
    double loss = 0, host = 0;
    const auto score = [&] {
      const double begin = now();
      host = 0;
      scorer(architectures_, [&](std::size_t, const Scored& scored) {
        if (scored.error) std::rethrow_exception(scored.error);
        loss = scored.scores[0].at("loss").value;
        host += scored.host_seconds;
      });
      return now() - begin;
    };
    std::vector<double> seconds;
    for (int round = 0; round < 3 + o_.repeats; ++round) seconds.push_back(score());
    std::sort(seconds.begin() + 3, seconds.end());
    const double median = seconds[3 + static_cast<std::size_t>(o_.repeats) / 2];
    std::printf(
        "%s %s in %s, %zu x %lld: %.0f subnets/s (%.2f to %.2f ms each), host %.2f ms, first "
        "rounds %.2f %.2f %.2f s, %zu blocks recorded, %.1f GiB, loss %.4f\n",
        o_.space.c_str(), o_.sharing.c_str(), o_.precision.c_str(), o_.members,
        static_cast<long long>(o_.batch), o_.steps / median, 1e3 * seconds[3] / o_.steps,
        1e3 * seconds.back() / o_.steps, 1e3 * host / o_.steps, seconds[0], seconds[1], seconds[2],
        scorer.recorded(), reserved_bytes(o_.device) / (1 << 30), loss);
    if (o_.profile) print(profiled(score));
  }

 private:
  /// A step's mean.
  void print(const Profile& profile) const {
    std::printf("  %.2f ms a step, busy %.2f\n", 1e3 * profile.seconds / o_.steps,
                1e3 * profile.busy / o_.steps);
    for (const auto& share : profile.classes)
      std::printf("  %8.3f ms %7.1f launches  %s\n", 1e3 * share.seconds / o_.steps,
                  static_cast<double>(share.launches) / o_.steps, share.name.c_str());
    for (std::size_t i = 0; i < std::min<std::size_t>(40, profile.kernels.size()); ++i)
      std::printf("    %8.3f ms %7.1f  %s\n", 1e3 * profile.kernels[i].seconds / o_.steps,
                  static_cast<double>(profile.kernels[i].launches) / o_.steps,
                  kernel_name(profile.kernels[i].name).substr(0, 110).c_str());
  }

  spaces::Genotype random(core::Stream& stream) const {
    auto genotype = space_.random(stream);
    for (std::size_t i = 0; i < genotype.size(); ++i)
      if (space_.genes()[i].name.ends_with("attended_layers")) genotype[i] = 0;
    return genotype;
  }

  void round(Gradients& gradients) {
    const auto batch = training_batch(*trainee_, *task_, 0, 0, o_.batch);
    for (const auto& genotype : architectures_) step(gradients, genotype, batch);
  }

  void step(Gradients& gradients, const spaces::Genotype& genotype, const tasks::Batch& batch) {
    const auto pass = gradients.run(genotype, batch, 1, {}, false);
    pass.give(trainee_->parameters());
    loss_ = pass.loss;
    optimizer_->step(settings_.learning_rate);
    optimizer_->zero_grad();
  }

  Options o_;
  spaces::Space space_;
  std::vector<std::unique_ptr<Supernet>> nets_;
  std::vector<Supernet*> members_;
  TrainSettings settings_;
  std::unique_ptr<tasks::Task> task_;
  std::unique_ptr<Trainee> trainee_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<spaces::Genotype> architectures_;
  at::Tensor loss_;
};

}  // namespace

int main(int count, char** arguments) {
  Options o;
  CLI::App app("Times steps of a mixture-of-supernets whose architecture changes at every step.");
  app.add_option("--space", o.space);
  app.add_option("--option", o.options, "KEY=VALUE of the space");
  app.add_option("--members", o.members, "supernets side by side");
  app.add_option("--sharing", o.sharing);
  app.add_option("--routed", o.routed);
  app.add_option("--copies", o.copies);
  app.add_option("--vocabulary", o.vocabulary);
  app.add_option("--batch", o.batch);
  app.add_option("--length", o.length);
  app.add_option("--steps", o.steps);
  app.add_option("--repeats", o.repeats);
  app.add_option("--device", o.device);
  app.add_flag("--launch", o.launch, "record nothing");
  app.add_flag("--evaluate", o.evaluate, "score them");
  app.add_option("--precision", o.precision, "of scores");
  app.add_flag("--profile", o.profile, "what a step's kernels take");
  CLI11_PARSE(app, count, arguments);
  try {
    Bench bench(o);
    o.evaluate ? bench.evaluate() : bench();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
