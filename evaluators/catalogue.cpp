// Evaluators by name, and what they work with.
#include "mosaic/evaluators/catalogue.hpp"

#include <limits>

#include "mosaic/core/error.hpp"

namespace mosaic::evaluators {
namespace {

template <class Part>
Part& expect(Part* part, const char* what, const char* advice) {
  if (part == nullptr)
    throw core::UsageError(std::string("what is measured needs ") + what, advice);
  return *part;
}

}  // namespace

const spaces::Space& Workbench::space() const {
  return expect(parts_.space, "a space", "give the job a [space]");
}
supernet::Supernet& Workbench::supernet() const {
  return expect(parts_.supernet, "a trained supernet", "give the job a [supernet] and a [task]");
}
const tasks::Task& Workbench::task() const {
  return expect(parts_.task, "a task", "give the job a [task]");
}
std::shared_ptr<const Table> Workbench::table() const {
  expect(parts_.table.get(), "a table", "give the job an [evaluator] of type \"table\"");
  return parts_.table;
}
double Workbench::best_reference(const std::string& fidelity) const {
  return parts_.best_reference ? parts_.best_reference(fidelity)
                               : std::numeric_limits<double>::infinity();
}
void Workbench::reference(const Candidate& candidate, const core::Measurement& measurement) const {
  if (parts_.reference) parts_.reference(candidate, measurement);
}

core::Registry<EvaluatorType>& evaluators() {
  static core::Registry<EvaluatorType> registry("evaluator");
  return registry;
}

std::map<std::string, KnownMetric> known_metrics(const JobFacts& facts) {
  std::map<std::string, KnownMetric> result;
  for (const auto& name : evaluators().names())
    for (auto& info : evaluators().at(name).metrics(facts)) {
      auto& known = result[info.name];
      // A column has no direction of its own; whatever its name, it is what was measured.
      if (known.evaluator.empty() || !info.maximise) known = {name, std::move(info)};
    }
  return result;
}

Measuring read_measuring(const std::string& evaluator, core::Section& section,
                         const JobFacts& facts) {
  Measuring measuring = evaluators().at(evaluator).read(section, facts);
  measuring.evaluator = evaluator;
  return measuring;
}

}  // namespace mosaic::evaluators
