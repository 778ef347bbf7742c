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

core::Registry<EvaluatorType>& evaluators() {
  static core::Registry<EvaluatorType> registry("metric");
  return registry;
}

}  // namespace mosaic::evaluators
