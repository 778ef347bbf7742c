// What is counted over the Graph of a network.
#include <algorithm>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/spaces/merge.hpp"

namespace mosaic::evaluators {
namespace {

struct Count {
  MetricInfo info;
  std::string counted;  ///< of what, in words; empty: whatever the lengths
  double (*count)(const spaces::Graph&, const spaces::Symbols&);
};

const std::vector<Count>& known_counts() {
  static const std::vector<Count> counts = {
      {{.name = "activation_bytes",
        .unit = "bytes",
        .summary = "peak bytes of live activations of one example, float32",
        .maximise = false,
        .exact = true},
       "float32, batch=1",
       spaces::activation_bytes},
      {{.name = "flops",
        .unit = "MACs",
        .summary = "multiply-accumulates of one example",
        .maximise = false,
        .exact = true},
       "batch=1",
       spaces::count_flops},
      {{.name = "params",
        .unit = "count",
        .summary = "trainable parameters",
        .maximise = false,
        .exact = true},
       "",
       [](const auto& graph, const auto&) { return spaces::count_parameters(graph); }},
  };
  return counts;
}

class Counts : public Evaluator {
 public:
  Counts(const std::vector<std::string>& metrics, spaces::Symbols symbols)
      : symbols_(std::move(symbols)) {
    const auto& known = known_counts();
    for (const auto& metric : metrics) {
      const auto found = std::find_if(known.begin(), known.end(),
                                      [&](const auto& count) { return count.info.name == metric; });
      if (found == known.end()) fail(metric);
      counts_.push_back(found->count);
      metrics_.push_back(found->info);
      metrics_.back().fidelity = found->counted.empty()
                                     ? "exact"
                                     : "exact(" + found->counted + spaces::text_of(symbols_) + ")";
    }
  }

  const std::vector<MetricInfo>& metrics() const override { return metrics_; }

  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    return evaluate_each(*this, candidates, sink, [this](const Candidate& candidate) {
      Row row(counts_.size());
      const auto deployed = spaces::merged(candidate.graph);
      for (std::size_t i = 0; i < row.size(); ++i) row[i].value = counts_[i](deployed, symbols_);
      return row;
    });
  }

 private:
  [[noreturn]] static void fail(const std::string& metric) {
    const auto names = core::mapped(graph_metrics(), &MetricInfo::name);
    throw core::UsageError("'" + metric + "' is not counted from the graph of a network",
                           core::known_names(metric, names));
  }

  spaces::Symbols symbols_;
  std::vector<MetricInfo> metrics_;
  std::vector<double (*)(const spaces::Graph&, const spaces::Symbols&)> counts_;
};

const core::Registered kEntry{
    evaluators(), "counts", "parameters, FLOPs and activations, counted from the graph",
    EvaluatorType{.metrics = [](const JobFacts&) { return graph_metrics(); },
                  .read =
                      [](core::Section&, const JobFacts&) {
                        return Measuring{.make = [](const Workbench& work, const auto& metrics) {
                          return graph_evaluator(metrics, work.space().symbols());
                        }};
                      }}};

}  // namespace

std::vector<MetricInfo> graph_metrics() { return core::mapped(known_counts(), &Count::info); }

std::unique_ptr<Evaluator> graph_evaluator(const std::vector<std::string>& metrics,
                                           const spaces::Symbols& symbols) {
  return std::make_unique<Counts>(metrics, symbols);
}

}  // namespace mosaic::evaluators
