// Scores of an architecture with the weights it inherits from the supernet.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "mosaic/core/error.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::evaluators {
namespace {

/// Calibrates batch norm on training images, then scores validation images. The test split is never
/// touched.
class Inherited : public Evaluator {
 public:
  Inherited(const EvaluatorContext& context, bool loss)
      : context_(context), metric_(loss ? "loss" : "accuracy"), unit_(loss ? "nats" : "%") {
    if (!context.supernet || !context.task)
      throw core::UsageError("metric '" + metric_ + "' needs a trained supernet and a task",
                             "give the job a [supernet] and a [task]");
  }

  const std::string& metric() const override { return metric_; }
  const std::string& unit() const override { return unit_; }
  std::string fidelity() const override {
    return "inherited, checkpoint=" + context_.checkpoint +
           ", validation images=" + std::to_string(images()) + ", calibrated on augmented " +
           std::to_string(context_.settings.calibration);
  }

  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink) override {
    return evaluate_each(*this, candidates, sink,
                         [this](const Candidate& candidate) { return measure(candidate); });
  }

 private:
  std::int64_t images() const {
    const std::int64_t all = context_.task->size(tasks::Split::validation);
    return context_.settings.images > 0 ? std::min(context_.settings.images, all) : all;
  }

  core::Measurement measure(const Candidate& candidate) const {
    const InheritedScore score = context_.inherited ? shared(candidate) : scored(candidate);
    core::Measurement result;
    const double share = score.accuracy / 100;
    result.value = metric_ == "loss" ? score.loss : score.accuracy;
    if (metric_ == "accuracy")
      result.standard_error =
          100 * std::sqrt(share * (1 - share) / static_cast<double>(score.images));
    result.seed = context_.seed;
    result.device = supernet::describe_device(context_.supernet->device());
    return result;
  }

  InheritedScore shared(const Candidate& candidate) const {
    constexpr std::size_t kKept = 50'000;  // more than a generation asks for
    auto& known = *context_.inherited;
    const auto key = candidate.hash + " " + std::to_string(images()) + " " +
                     std::to_string(context_.settings.calibration);
    if (const auto found = known.find(key); found != known.end()) return found->second;
    if (known.size() >= kKept) known.clear();
    return known[key] = scored(candidate);
  }

  InheritedScore scored(const Candidate& candidate) const {
    at::NoGradGuard guard;
    const auto weights = context_.supernet->weights(candidate.genotype, candidate.graph);
    const auto forward = [&](const at::Tensor& inputs, supernet::NormMode mode,
                             supernet::NormStats* stats) {
      return supernet::execute(candidate.graph, "forward", {&inputs, 1}, weights, mode, stats)[0];
    };
    supernet::NormStats stats = supernet::calibrate(
        [&](const at::Tensor& inputs, supernet::NormStats* recorded) {
          return forward(inputs, supernet::NormMode::calibrate, recorded);
        },
        *context_.task, context_.settings.calibration);
    const auto score = supernet::evaluate(
        [&](const at::Tensor& inputs) {
          return forward(inputs, supernet::NormMode::stored, &stats);
        },
        *context_.task, tasks::Split::validation, context_.settings.images);
    return {score.accuracy, score.loss, score.images};
  }

  EvaluatorContext context_;
  std::string metric_;
  std::string unit_;
};

EvaluatorType inherited(bool loss) {
  return {.make =
              [loss](const EvaluatorContext& context) {
                return std::make_unique<Inherited>(context, loss);
              },
          .unit = loss ? "nats" : "%",
          .maximise = !loss,
          .needs_supernet = true};
}

const core::Registered kAccuracy{evaluators(), "accuracy",
                                 "validation accuracy with inherited weights, percent",
                                 inherited(false)};
const core::Registered kLoss{evaluators(), "loss",
                             "validation cross-entropy with inherited weights", inherited(true)};

}  // namespace
}  // namespace mosaic::evaluators
