// Latency of a network on this machine's CPU or GPU.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <thread>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "steady.hpp"

namespace mosaic::evaluators {
namespace {

/// The reference network may take so much longer than at first before the device counts as slow.
constexpr double kSlow = 1.15;

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

/// Times forward passes of a stand-alone network with random weights (latency does not depend on
/// their values), normalisation with stored statistics, float32. Every few measurements a reference
/// network, the largest of the space, is timed: while it runs slow the device is throttled or
/// shared, and what was measured then is measured again once the device is back (SteadyMeasuring).
class Latency : public Evaluator {
 public:
  explicit Latency(const EvaluatorContext& context) : context_(context) {
    if (!context.space) throw std::logic_error("latency needs a space for its reference network");
    supernet::resolve_device(context.settings.device);
    const int kept = supernet::threads();
    supernet::set_threads(static_cast<int>(context.settings.threads));
    device_ = supernet::describe_device(context.settings.device);
    supernet::set_threads(kept);
  }

  const std::string& metric() const override { return metric_; }
  const std::string& unit() const override { return unit_; }
  bool timed() const override { return true; }
  std::string fidelity() const override {
    const auto& input = context_.space->task().input;
    return "batch=" + std::to_string(context_.settings.batch) +
           ", input=" + std::to_string(input[0]) + "x" + std::to_string(input[1]) + "x" +
           std::to_string(input[2]) + ", float32, " + device_;
  }

  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink) override {
    if (!steady_) steady_ = make_steady();
    std::vector<core::Measurement> results(candidates.size());
    steady_->run(
        candidates.size(),
        [&](std::size_t i) {
          return evaluate_each(
                     *this, candidates.subspan(i, 1), {},
                     [this](const auto& candidate) { return measurement(time(candidate.graph)); })
              .front();
        },
        [&](std::size_t i, const core::Measurement& released) {
          results[i] = released;
          if (sink) sink(i, released);
        });
    return results;
  }

 private:
  std::unique_ptr<SteadyMeasuring> make_steady() {
    SteadyMeasuring::Settings settings;
    settings.block = context_.settings.reference_every;
    settings.slow = kSlow;
    if (context_.best_reference) settings.usual = context_.best_reference(fidelity());
    return std::make_unique<SteadyMeasuring>(
        settings, SteadyMeasuring::Device{
                      .time_reference = [this] { return time_reference(); },
                      .wait =
                          [](int number) {
                            std::this_thread::sleep_for(std::chrono::milliseconds(250 << number));
                          },
                      .seconds = [watch = core::Stopwatch()] { return watch.seconds(); }});
  }

  /// NaN where the largest network of the space cannot be timed here (it does not fit): then
  /// nothing is known of the device's state.
  double time_reference() {
    if (reference_.arch.empty())
      reference_ = make_candidate(*context_.space, context_.space->largest());
    core::Measurement result =
        evaluate_each(*this, {&reference_, 1}, {}, [this](const auto& candidate) {
          return measurement(time(candidate.graph));
        }).front();
    if (!result.ok()) {
      if (!warned_)
        core::log_warning("the reference network, the largest of the space, cannot be timed (" +
                          result.message + "): a slow device will not be noticed");
      warned_ = true;
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (context_.reference) {
      result.metric = "latency_reference_ms";
      context_.reference(reference_, result);
    }
    return result.value;
  }

  core::Measurement measurement(const Timing& timing) const {
    core::Measurement result;
    result.value = timing.median;
    result.standard_error = timing.error;
    result.unit = unit_;
    result.seed = context_.seed;
    result.device = device_;
    char note[128];
    std::snprintf(note, sizeof note, "10%%-90%%: %.4g-%.4g ms over %lld passes", timing.low,
                  timing.high, static_cast<long long>(context_.settings.repeats));
    result.message = note;
    return result;
  }

  Timing time(const spaces::Graph& graph) const {
    at::NoGradGuard guard;
    const bool gpu = context_.settings.device != "cpu";
    supernet::Subnet subnet = supernet::random_subnet(graph, context_.seed);
    subnet.to(context_.settings.device);
    const auto inputs = supernet::random_inputs(subnet.graph(), "forward", context_.settings.batch,
                                                context_.seed, context_.settings.device);
    const int kept = supernet::threads();
    supernet::set_threads(static_cast<int>(context_.settings.threads));
    const auto pass = [&] {
      subnet.forward(inputs[0]);
      if (gpu) torch::cuda::synchronize();
    };
    std::vector<double> times;
    try {
      for (std::int64_t i = 0; i < context_.settings.warmup; ++i) pass();
      for (std::int64_t i = 0; i < context_.settings.repeats; ++i) {
        const core::Stopwatch watch;
        pass();
        times.push_back(1000 * watch.seconds());
      }
    } catch (...) {
      supernet::set_threads(kept);
      throw;
    }
    supernet::set_threads(kept);
    return summarise(std::move(times));
  }

  EvaluatorContext context_;
  std::string metric_ = "latency_ms";
  std::string unit_ = "ms";
  std::string device_;
  Candidate reference_;
  std::unique_ptr<SteadyMeasuring> steady_;
  bool warned_ = false;
};

const core::Registered kEntry{
    evaluators(), "latency_ms", "time of one forward pass on this machine, trimmed median",
    EvaluatorType{
        .make = [](const EvaluatorContext& context) { return std::make_unique<Latency>(context); },
        .unit = "ms",
        .timed = true}};

}  // namespace
}  // namespace mosaic::evaluators
