#include <map>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace mosaic::evaluators {

namespace {

struct GraphMetric {
  std::string unit;
  std::string fidelity;
  double (*count)(const spaces::Graph&);
};

const std::map<std::string, GraphMetric>& known_metrics() {
  static const std::map<std::string, GraphMetric> kMetrics = {
      {"activation_bytes",
       {"bytes", "exact(float32, batch=1)",
        [](const spaces::Graph& graph) { return spaces::activation_bytes(graph); }}},
      {"flops",
       {"MACs", "exact(batch=1)",
        [](const spaces::Graph& graph) { return spaces::count_flops(graph); }}},
      {"params",
       {"count", "exact",
        [](const spaces::Graph& graph) { return spaces::count_parameters(graph); }}},
  };
  return kMetrics;
}

/// A count over the Graph of a candidate.
class GraphEvaluator : public Evaluator {
 public:
  GraphEvaluator(std::string metric, GraphMetric entry)
      : metric_(std::move(metric)), entry_(std::move(entry)) {}

  const std::string& metric() const override { return metric_; }
  const std::string& unit() const override { return entry_.unit; }
  std::string fidelity() const override { return entry_.fidelity; }
  bool exact() const override { return true; }

  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink) override {
    return evaluate_each(*this, candidates, sink, [this](const Candidate& candidate) {
      core::Measurement result;
      result.value = entry_.count(candidate.graph);
      return result;
    });
  }

 private:
  std::string metric_;
  GraphMetric entry_;
};

}  // namespace

std::vector<std::string> graph_metrics() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : known_metrics()) names.push_back(name);
  return names;
}

std::unique_ptr<Evaluator> graph_evaluator(const std::string& metric) {
  const auto found = known_metrics().find(metric);
  if (found == known_metrics().end()) {
    const auto names = graph_metrics();
    const auto nearest = core::nearest_name(metric, names);
    throw core::UsageError("'" + metric + "' is not counted from the graph of a network",
                           (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") +
                               std::string("known: ") + core::join(names));
  }
  return std::make_unique<GraphEvaluator>(metric, found->second);
}

}  // namespace mosaic::evaluators
