// What `mosaic measure JOB --archs FILE --out CSV` does: latencies of given networks, to a CSV
// file.
#include <algorithm>
#include <fstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/progress.hpp"
#include "pipeline.hpp"
#include "session.hpp"

namespace mosaic::cli {

using evaluators::Candidate;

void measure_list(const RunOptions& options, const std::string& archs, const std::string& out) {
  const Workplace work = Workplace::open(JobFile::from_file(options.job_file));
  const auto objective =
      std::find_if(work.file.objectives.begin(), work.file.objectives.end(),
                   [](const auto& o) { return evaluators::evaluators().at(o.metric).timed; });
  if (objective == work.file.objectives.end())
    throw core::UsageError(options.job_file + " has no objective that is timed",
                           "add an [[objective]] with metric = \"latency_ms\"");
  std::vector<Candidate> candidates;
  std::int64_t number = 0;
  for (const auto& line : core::split(core::read_file(archs), '\n')) {
    ++number;
    if (core::trim(line).empty()) continue;
    try {
      candidates.push_back(evaluators::make_candidate(
          *work.space, work.space->parse(std::string(core::trim(line)))));
    } catch (const core::UsageError& error) {
      throw core::UsageError(archs + ":" + std::to_string(number) + ": " + error.message(),
                             error.advice());
    }
  }
  std::ofstream file(out);
  if (!file) throw core::Error("cannot write " + out, "choose another --out");
  evaluators::EvaluatorContext context;
  context.space = work.space.get();
  context.settings = objective->measure;
  context.seed = work.file.seed;
  const auto evaluator = evaluators::evaluators().at(objective->metric).make(context);
  core::write_csv_row(
      file, std::vector<std::string>{"arch", objective->metric, "standard_error", "note"});
  core::Progress progress("measure " + objective->metric,
                          static_cast<std::int64_t>(candidates.size()));
  evaluator->evaluate(candidates, [&](std::size_t i, const core::Measurement& m) {
    core::write_csv_row(file, std::vector<std::string>{
                                  candidates[i].arch, m.ok() ? core::format_double(m.value) : "",
                                  core::format_double(m.standard_error), m.message});
    file.flush();
    progress.update(static_cast<std::int64_t>(i) + 1);
  });
  progress.finish();
  if (!file) throw core::Error("cannot write " + out, "is the disk full, or the folder read-only?");
}

}  // namespace mosaic::cli
