// Latency of a network on this machine's CPU or GPU.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/spaces/merge.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/scoring/generation.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "steady.hpp"

namespace mosaic::evaluators {
namespace {

/// The reference network may take so much longer than at first before the device counts as slow.
constexpr double kSlow = 1.15;

struct Settings {
  std::string device = "cpu";         ///< or "cuda"
  std::int64_t batch = 1;             ///< examples a forward pass
  std::int64_t threads = 1;           ///< CPU threads
  std::int64_t warmup = 5;            ///< forward passes before timing
  std::int64_t repeats = 30;          ///< timed forward passes
  std::int64_t reference_every = 10;  ///< measurements between two timings of the reference network
  std::int64_t beam = 5;              ///< sequences an example, of tasks whose networks write

  void visit(core::Visitor& v) {
    v("device", device, {"cpu", "cuda"});
    v("batch", batch, {1, 65536});
    v("threads", threads, {1, 1024});
    v("warmup", warmup, {0, 10'000});
    v("repeats", repeats, {5, 100'000});
    v("reference_every", reference_every, {1, 100'000});
    v("beam", beam, {1, 1024});
  }
};

const MetricInfo kLatency = {.name = "latency_ms",
                             .unit = "ms",
                             .summary = "time of one forward pass on this machine, trimmed median",
                             .maximise = false,
                             .timed = true};

struct Timing {
  double median;  ///< ms, of the passes between the 10th and the 90th percentile
  double low;     ///< 10th percentile
  double high;    ///< 90th percentile
  double error;   ///< standard error of the median
};

Timing summarise(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double quantile) {
    return times[static_cast<std::size_t>(
        std::lround(quantile * static_cast<double>(times.size() - 1)))];
  };
  const std::vector<double> kept(times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10),
                                 times.end() - static_cast<std::ptrdiff_t>(times.size() / 10));
  const std::size_t middle = kept.size() / 2;
  const double median = kept.size() % 2 ? kept[middle] : (kept[middle - 1] + kept[middle]) / 2;
  // Median's standard error from the interquartile range, as for a normal sample.
  const double error =
      1.2533 * (at(0.75) - at(0.25)) / 1.349 / std::sqrt(static_cast<double>(times.size()));
  return {median, at(0.1), at(0.9), error};
}

/// Passes take so many CPU threads while the result lives.
auto with_threads(std::int64_t threads) {
  const int before = supernet::threads();
  supernet::set_threads(static_cast<int>(threads));
  return c10::make_scope_exit([before] { supernet::set_threads(before); });
}

/// Times forward passes of a stand-alone network with random weights (latency does not depend on
/// their values), normalisation with stored statistics, float32. Every few measurements a reference
/// network, the largest of the space, is timed: while it runs slow the device is throttled or
/// shared, and what was measured then is measured again once the device is back (SteadyMeasuring).
class Latency : public Evaluator {
 public:
  Latency(const Workbench& work, const Settings& settings) : work_(work), settings_(settings) {
    supernet::resolve_device(settings.device);
    const auto alone = with_threads(settings.threads);
    device_ = supernet::describe_device(settings.device);
    metrics_[0].fidelity = fidelity();
  }

  const std::vector<MetricInfo>& metrics() const override { return metrics_; }

  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    if (!steady_) steady_ = make_steady();
    std::vector<Row> results(candidates.size());
    steady_->run(
        candidates.size(), [&](std::size_t i) { return timed(candidates[i]); },
        [&](std::size_t i, const core::Measurement& released) {
          results[i] = {released};
          if (sink) sink(i, results[i]);
        });
    return results;
  }

 private:
  std::string fidelity() const {
    const auto& task = work_.space().task();
    std::vector<std::string> inputs;
    for (const auto& port : task.inputs)
      inputs.push_back((task.inputs.size() > 1 ? port.name + " " : "") +
                       spaces::to_string(port.shape));
    return "batch=" + std::to_string(settings_.batch) + ", input=" + core::join(inputs) +
           spaces::text_of(task.typical) +
           (task.written.empty()
                ? ""
                : ", written step by step, beam=" + std::to_string(settings_.beam)) +
           ", float32, " + device_;
  }

  std::unique_ptr<SteadyMeasuring> make_steady() {
    SteadyMeasuring::Settings settings;
    settings.block = settings_.reference_every;
    settings.slow = kSlow;
    settings.usual = work_.best_reference(fidelity());
    return std::make_unique<SteadyMeasuring>(
        settings, SteadyMeasuring::Device{
                      .time_reference = [this] { return time_reference(); },
                      .wait =
                          [](int number) {
                            std::this_thread::sleep_for(std::chrono::milliseconds(250 << number));
                          },
                      .seconds = [watch = core::Stopwatch()] { return watch.seconds(); }});
  }

  core::Measurement timed(const Candidate& candidate) {
    return evaluate_each(*this, {&candidate, 1}, {}, [this](const Candidate& one) {
      return Row{measurement(time(one.graph))};
    })[0][0];
  }

  /// NaN where the largest network of the space cannot be timed here (it does not fit): then
  /// nothing is known of the device's state.
  double time_reference() {
    if (reference_.arch.empty())
      reference_ = make_candidate(work_.space(), work_.space().largest());
    core::Measurement result = timed(reference_);
    if (!result.ok()) {
      if (!warned_)
        core::log_warning("the reference network, the largest of the space, cannot be timed (" +
                          result.message + "): a slow device will not be noticed");
      warned_ = true;
      return std::numeric_limits<double>::quiet_NaN();
    }
    result.metric = "latency_reference_ms";
    work_.reference(reference_, result);
    return result.value;
  }

  core::Measurement measurement(const Timing& timing) const {
    core::Measurement result;
    result.value = timing.median;
    result.standard_error = timing.error;
    result.seed = work_.seed();
    result.device = device_;
    char note[128];
    std::snprintf(note, sizeof note, "10%%-90%%: %.4g-%.4g ms over %lld passes", timing.low,
                  timing.high, static_cast<long long>(settings_.repeats));
    result.message = note;
    return result;
  }

  /// What is timed: a pass; or, where networks write, the encoder once and a step of the decoder
  /// for each token of the usual length, with keys and values kept and a beam's sequences side by
  /// side (as HAT measures, Wang et al. 2020; choosing among them is no part of it).
  std::function<void()> passes(const supernet::Subnet& subnet,
                               const supernet::NamedTensors& inputs) const {
    const auto& task = work_.space().task();
    if (task.written.empty()) return [&] { subnet.forward(inputs); };
    const auto network = std::make_shared<supernet::StepwiseNetwork>(
        subnet.graph(), task.written,
        [&](const spaces::WeightRef& ref) { return subnet.weight(ref); });
    const auto& written = tasks::tensor(inputs, task.written);
    const at::Tensor tokens = written.select(1, 0).repeat_interleave(settings_.beam);
    return [this, network, tokens, &inputs, steps = written.size(1)] {
      network->begin(inputs, settings_.beam);
      for (std::int64_t i = 0; i < steps; ++i) network->step(tokens);
    };
  }

  Timing time(const spaces::Graph& graph) const {
    at::NoGradGuard guard;
    const bool gpu = settings_.device != "cpu";
    supernet::Subnet subnet = supernet::random_subnet(spaces::merged(graph), work_.seed());
    subnet.to(settings_.device);
    const supernet::NamedTensors inputs =
        supernet::random_inputs(subnet.graph(), "forward", settings_.batch, work_.seed(),
                                settings_.device, work_.space().symbols());
    const auto alone = with_threads(settings_.threads);
    const auto forward = passes(subnet, inputs);
    const auto pass = [&] {
      forward();
      if (gpu) torch::cuda::synchronize();
    };
    std::vector<double> times;
    for (std::int64_t i = 0; i < settings_.warmup; ++i) pass();
    for (std::int64_t i = 0; i < settings_.repeats; ++i) {
      const core::Stopwatch watch;
      pass();
      times.push_back(1000 * watch.seconds());
    }
    return summarise(std::move(times));
  }

  Workbench work_;
  Settings settings_;
  std::vector<MetricInfo> metrics_ = {kLatency};
  std::string device_;
  Candidate reference_;
  std::unique_ptr<SteadyMeasuring> steady_;
  bool warned_ = false;
};

Measuring read(core::Section& section, const JobFacts& facts) {
  Settings settings;
  core::read(section, settings);
  if (facts.fresh) try {
      supernet::resolve_device(settings.device);
    } catch (const core::UsageError& error) {
      section.fail("device", error.message(), error.advice());
    }
  return {.keys = core::settings_json(core::listed(settings)).dump(),
          .make = [settings](const Workbench& work, const auto&) {
            return std::make_unique<Latency>(work, settings);
          }};
}

const core::Registered kEntry{evaluators(), "latency", "time of a forward pass on this machine",
                              EvaluatorType{[](const JobFacts& facts) {
                                              return facts.table ? std::vector<MetricInfo>{}
                                                                 : std::vector{kLatency};
                                            },
                                            read}};

}  // namespace
}  // namespace mosaic::evaluators
