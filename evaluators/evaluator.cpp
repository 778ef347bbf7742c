#include "mosaic/evaluators/evaluator.hpp"

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
core::Measurement guarded(const Candidate& candidate,
                          const std::function<core::Measurement(const Candidate&)>& measure) {
  try {
    core::Measurement result = measure(candidate);
    if (result.status == core::Status::ok && !std::isfinite(result.value)) {
      result.status = core::Status::failed;
      result.message =
          "the value is " + core::format_double(result.value) + ", not a finite number";
    }
    return result;
  } catch (const core::Interrupted&) {
    throw;
  } catch (const std::bad_alloc&) {
    return failure("out of memory");
  } catch (const std::exception& error) {
    return failure(error.what());
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

std::vector<core::Measurement> evaluate_each(
    const Evaluator& evaluator, std::span<const Candidate> candidates, const Evaluator::Sink& sink,
    const std::function<core::Measurement(const Candidate&)>& measure) {
  std::vector<core::Measurement> results;
  results.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    core::check_interrupt();  // what was measured so far went through the sink: nothing is lost
    const core::Stopwatch watch;
    core::Measurement result = guarded(candidate, measure);
    result.metric = evaluator.metric();
    result.unit = evaluator.unit();
    result.fidelity = evaluator.fidelity();
    if (result.seconds == 0) result.seconds = watch.seconds();
    results.push_back(std::move(result));
    if (sink) sink(results.size() - 1, results.back());
  }
  return results;
}

}  // namespace mosaic::evaluators
