#include "mosaic/evaluators/catalogue.hpp"

namespace mosaic::evaluators {
namespace {

EvaluatorType counted(const std::string& metric, const std::string& unit) {
  return {.make = [metric](const EvaluatorContext&) { return graph_evaluator(metric); },
          .unit = unit};
}

const core::Registered kParams{evaluators(), "params", "trainable parameters",
                               counted("params", "count")};
const core::Registered kFlops{evaluators(), "flops", "multiply-accumulates of one example",
                              counted("flops", "MACs")};
const core::Registered kBytes{evaluators(), "activation_bytes",
                              "peak bytes of live activations of one example, float32",
                              counted("activation_bytes", "bytes")};

}  // namespace

void MeasureSettings::visit_timing(core::Visitor& v) {
  v("device", device, {"cpu", "cuda"});
  v("batch", batch, {1, 65536});
  v("threads", threads, {1, 1024});
  v("warmup", warmup, {0, 10'000});
  v("repeats", repeats, {5, 100'000});
  v("reference_every", reference_every, {1, 100'000});
}

void MeasureSettings::visit_scoring(core::Visitor& v) {
  v("images", images, {0, 1 << 30});
  v("calibration", calibration, {2, 1 << 30});
}

core::Registry<EvaluatorType>& evaluators() {
  static core::Registry<EvaluatorType> registry("metric");
  return registry;
}

}  // namespace mosaic::evaluators
