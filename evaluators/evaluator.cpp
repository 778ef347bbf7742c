// Rows of measurements, and what becomes of failures.
#include "mosaic/evaluators/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::evaluators {

namespace {

core::Measurement failure(const std::string& message) {
  core::Measurement result;
  result.status = core::Status::failed;
  result.message = message;
  return result;
}

/// What `measure` gave, or why it failed.
Evaluator::Row guarded(std::size_t metrics, const std::function<Evaluator::Row()>& measure) {
  try {
    Evaluator::Row row = measure();
    for (auto& result : row)
      if (result.status == core::Status::ok && !std::isfinite(result.value)) {
        result.status = core::Status::failed;
        result.message =
            "the value is " + core::format_double(result.value) + ", not a finite number";
      }
    return row;
  } catch (const core::Interrupted&) {
    throw;
  } catch (const std::bad_alloc&) {
    return Evaluator::Row(metrics, failure("out of memory"));
  } catch (const std::exception& error) {
    return Evaluator::Row(metrics, failure(error.what()));
  }
}

}  // namespace

Candidate make_candidate(const spaces::Space& space, const spaces::Genotype& genotype) {
  Candidate candidate;
  candidate.genotype = space.canonical(genotype);
  candidate.arch = space.text(candidate.genotype);
  candidate.hash = space.hash(candidate.genotype);
  candidate.graph = space.bind(candidate.genotype);
  return candidate;
}

std::size_t Evaluator::column(const std::string& metric) const {
  const auto& known = metrics();
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const auto& info) { return info.name == metric; });
  if (found == known.end()) throw std::logic_error("an evaluator does not give " + metric);
  return static_cast<std::size_t>(found - known.begin());
}

Evaluator::Row measured_row(const Evaluator& evaluator,
                            const std::function<Evaluator::Row()>& measure) {
  const auto& metrics = evaluator.metrics();
  const core::Stopwatch watch;
  Evaluator::Row row = guarded(metrics.size(), measure);
  if (row.size() != metrics.size())
    throw std::logic_error("an evaluator of " + std::to_string(metrics.size()) + " metrics gave " +
                           std::to_string(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i].metric = metrics[i].name;
    row[i].unit = metrics[i].unit;
    row[i].fidelity = metrics[i].fidelity;
    if (row[i].seconds == 0) row[i].seconds = watch.seconds();
  }
  return row;
}

std::vector<Evaluator::Row> evaluate_each(
    const Evaluator& evaluator, std::span<const Candidate> candidates, const Evaluator::Sink& sink,
    const std::function<Evaluator::Row(const Candidate&)>& measure) {
  std::vector<Evaluator::Row> results;
  results.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    core::check_interrupt();  // what was measured so far went through the sink: nothing is lost
    results.push_back(measured_row(evaluator, [&] { return measure(candidate); }));
    if (sink) sink(results.size() - 1, results.back());
  }
  return results;
}

}  // namespace mosaic::evaluators
