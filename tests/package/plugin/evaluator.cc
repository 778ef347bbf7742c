// An evaluator in one file: how many ops a network has.
#include "mosaic/evaluators/catalogue.hpp"

namespace {

using namespace mosaic;
using namespace mosaic::evaluators;

const std::vector<MetricInfo>& info() {
  static const std::vector<MetricInfo> metrics = {{.name = "ops",
                                                   .unit = "count",
                                                   .summary = "ops of the network",
                                                   .maximise = false,
                                                   .exact = true,
                                                   .fidelity = "exact"}};
  return metrics;
}

class Nodes : public Evaluator {
 public:
  const std::vector<MetricInfo>& metrics() const override { return info(); }
  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    return evaluate_each(*this, candidates, sink, [](const Candidate& candidate) {
      core::Measurement found;
      found.value = static_cast<double>(candidate.graph.nodes.size());
      return Row{found};
    });
  }
};

const core::Registered kEntry{
    mosaic::evaluators::evaluators(), "my-nodes", "ops of a network",
    EvaluatorType{.metrics = [](const JobFacts&) { return info(); },
                  .read =
                      [](core::Section&, const JobFacts&) {
                        return Measuring{.make = [](const Workbench&, const auto&) {
                          return std::make_unique<Nodes>();
                        }};
                      }}};

}  // namespace
