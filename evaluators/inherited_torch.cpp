// Figures of an architecture with the weights it inherits from the supernet.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/settings.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"

namespace mosaic::evaluators {
namespace {

struct Settings {
  std::int64_t examples = 2000;       ///< of the validation split; 0: all
  std::int64_t calibration = 512;     ///< training examples that calibrate normalisation
  std::string precision = "float32";  ///< supernet::Scoring::precision

  void visit(core::Visitor& v) {
    v("examples", examples, {0, 1 << 30});
    v("calibration", calibration, {2, 1 << 30});
    v("precision", precision, {"float32", "tf32", "bfloat16"});
  }
};

MetricInfo info_of(const std::string& name, const std::string& unit, bool maximise,
                   const std::string& title) {
  return {.name = name,
          .unit = unit,
          .summary = "validation " + (title.empty() ? name : title) + " with inherited weights",
          .maximise = maximise};
}

/// Calibrates normalisation on training examples, then scores validation examples: once for all
/// metrics. The test split is never touched.
class Inherited : public Evaluator {
 public:
  Inherited(const Workbench& work, const Settings& settings,
            const std::vector<std::string>& metrics)
      : work_(work), settings_(settings) {
    const std::int64_t all = work.task().size(tasks::Split::validation);
    const std::int64_t examples = settings.examples > 0 ? std::min(settings.examples, all) : all;
    const auto types = tasks::all_metrics(work.task());
    for (const auto& metric : metrics) {
      const auto type = std::find_if(types.begin(), types.end(),
                                     [&](const auto& known) { return known.name == metric; });
      if (type == types.end())
        throw core::UsageError("task '" + work.task().name() + "' has no metric '" + metric + "'",
                               "mosaic metrics lists what tasks have");
      metrics_.push_back(info_of(type->name, type->unit, type->maximise, type->title));
      // The words are those that databases hold.
      metrics_.back().fidelity =
          "inherited, checkpoint=" + work.checkpoint() +
          ", validation images=" + std::to_string(examples) + ", calibrated on augmented " +
          std::to_string(settings.calibration) + supernet::precision_text(settings.precision);
      if (type->of_written) metrics_.back().fidelity += work.task().writing().value().text();
    }
    supernet::Supernet* const one[] = {&work_.supernet()};
    scorer_ = std::make_unique<supernet::Scorer>(
        one, work_.task(),
        supernet::Scoring{.examples = settings_.examples,
                          .calibration = settings_.calibration,
                          .precision = settings_.precision,
                          .metrics = core::mapped(metrics_, &MetricInfo::name)});
  }

  const std::vector<MetricInfo>& metrics() const override { return metrics_; }

  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    std::vector<Row> rows;
    (*scorer_)(core::mapped(candidates, &Candidate::genotype),
               [&](std::size_t i, const supernet::Scored& scored) {
                 rows.push_back(measured_row(*this, [&] { return row_of(scored); }));
                 if (sink) sink(i, rows.back());
               });
    return rows;
  }

 private:
  Row row_of(const supernet::Scored& scored) const {
    if (scored.error) std::rethrow_exception(scored.error);
    Row row;
    for (const auto& metric : metrics_) {
      const auto& found = scored.scores.at(0).at(metric.name);
      auto& result = row.emplace_back();
      result.value = found.value;
      result.standard_error = found.error;
      result.seconds = scored.seconds;
      result.seed = work_.seed();
      result.device = supernet::describe_device(work_.supernet().device());
    }
    return row;
  }

  Workbench work_;
  Settings settings_;
  std::vector<MetricInfo> metrics_;
  std::unique_ptr<supernet::Scorer> scorer_;
};

/// Of the job's task, or of all.
std::vector<MetricInfo> metrics_of(const JobFacts& facts) {
  std::vector<MetricInfo> result;
  if (facts.table) return result;  // nothing is trained
  const auto add = [&](const tasks::TaskType& type) {
    for (const auto& metric : type.metrics)
      if (std::none_of(result.begin(), result.end(),
                       [&](const auto& known) { return known.name == metric.name; }))
        result.push_back(info_of(metric.name, metric.unit, metric.maximise, metric.title));
  };
  if (facts.task)
    add(*facts.task);
  else
    for (const auto& name : tasks::tasks().names()) add(tasks::tasks().at(name));
  result.push_back(info_of("loss", "nats", false, "loss"));
  return result;
}

Measuring read(core::Section& section, const JobFacts& facts) {
  if (!facts.supernet || !facts.task)
    section.fail("metric", "this metric needs a trained supernet",
                 "add a [task] and a [supernet] section");
  Settings settings;
  core::read(section, settings);
  if (settings.precision == "bfloat16" && !facts.gpu)
    section.fail("precision", "bfloat16 needs a GPU", "use \"float32\"");
  return {.keys = core::settings_json(core::listed(settings)).dump(),
          .make = [settings](const Workbench& work, const auto& metrics) {
            return std::make_unique<Inherited>(work, settings, metrics);
          }};
}

const core::Registered kEntry{evaluators(), "inherited",
                              "figures on validation examples with weights of the supernet",
                              EvaluatorType{metrics_of, read}};

}  // namespace
}  // namespace mosaic::evaluators
