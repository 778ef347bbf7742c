// What `mosaic measure JOB --archs FILE --out CSV` does: latencies of given networks, to a CSV
// file.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "begin.hpp"
#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

namespace {

using evaluators::Candidate;

std::vector<Candidate> read_list(const spaces::Space& space, const std::string& path) {
  std::vector<Candidate> candidates;
  std::int64_t number = 0;
  for (const auto& line : core::split(core::read_file(path), '\n')) {
    ++number;
    if (core::trim(line).empty()) continue;
    try {
      candidates.push_back(
          evaluators::make_candidate(space, space.parse(std::string(core::trim(line)))));
    } catch (const core::UsageError& error) {
      throw core::UsageError(path + ":" + std::to_string(number) + ": " + error.message(),
                             error.advice());
    }
  }
  return candidates;
}

/// What an earlier run left in the file.
struct Earlier {
  std::vector<std::vector<std::string>> rows;
  std::multiset<std::string> archs;
  double reference = std::numeric_limits<double>::infinity();  ///< least time, ms
};

/// Whole rows only: the last one may have been cut off where the process died.
Earlier read_earlier(const std::string& path, const std::vector<std::string>& columns) {
  Earlier earlier;
  std::string text = core::read_file(path);
  text.resize(text.rfind('\n') + 1);  // 0 where there is none
  if (text.empty()) return earlier;
  const core::CsvTable table = core::parse_csv(text, path);
  if (table.columns != columns)
    throw core::UsageError(
        path + " has the columns " + core::join(table.columns) + ", not " + core::join(columns),
        "resume a file that this command wrote, or leave --resume out");
  const std::size_t reference = table.column("reference_ms");
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    earlier.rows.push_back(table.rows[row]);
    earlier.archs.insert(table.rows[row][table.column("arch")]);
    if (!table.rows[row][reference].empty())
      earlier.reference = std::min(earlier.reference, table.number(row, reference));
  }
  return earlier;
}

/// Refuses to write over what was measured before: timings cost hours.
void expect_new(const std::string& path) {
  if (std::filesystem::is_regular_file(path) && std::filesystem::file_size(path) > 0)
    throw core::UsageError(
        path + " is there already, and may hold measurements",
        "add --resume to keep its rows and measure the other networks, or choose "
        "another --out");
}

/// Rows, each in the file as soon as it is final.
class Rows {
 public:
  Rows(const std::string& path, const std::vector<std::string>& columns, const Earlier& earlier)
      : path_(path) {
    std::ostringstream text;
    core::write_csv_row(text, columns);
    for (const auto& row : earlier.rows) core::write_csv_row(text, row);
    const bool plain = !std::filesystem::exists(path) || std::filesystem::is_regular_file(path);
    if (plain) core::write_file_atomic(path, text.view());  // what was measured is never gone
    file_.open(path, std::ios::app);
    if (!plain) file_ << text.view();
    flush();
  }
  void add(const std::vector<std::string>& row) {
    core::write_csv_row(file_, row);
    flush();
  }

 private:
  void flush() {
    file_.flush();
    if (!file_)
      throw core::Error("cannot write '" + path_ + "': " + std::strerror(errno == 0 ? EIO : errno),
                        "make room or choose another place; --resume keeps what was measured");
  }
  std::string path_;
  std::ofstream file_;
};

/// Takes those out that were measured before, each as often as it was.
void drop_measured(std::vector<Candidate>& candidates, std::multiset<std::string> measured) {
  std::erase_if(candidates, [&](const Candidate& candidate) {
    const auto found = measured.find(candidate.arch);
    if (found == measured.end()) return false;
    measured.erase(found);
    return true;
  });
}

const ObjectiveFile& timed_objective(const JobFile& file) {
  const auto found = std::find_if(file.objectives.begin(), file.objectives.end(),
                                  [](const auto& o) { return o.measuring.evaluator == "latency"; });
  if (found == file.objectives.end())
    throw core::UsageError(file.path + " has no objective that is timed",
                           "add an [[objective]] with metric = \"latency_ms\"");
  return *found;
}

}  // namespace

void measure_list(const RunOptions& options, const std::string& archs, const std::string& out,
                  bool resume) {
  const JobFile file = JobFile::from_file(options.job_file, options.set);
  const Workplace work = resume ? Workplace::open(file) : open_new(file);
  const ObjectiveFile& objective = timed_objective(work.file);
  std::vector<Candidate> candidates = read_list(*work.space, archs);
  const auto all = static_cast<std::int64_t>(candidates.size());
  const std::vector<std::string> columns{"arch", objective.metric, "standard_error", "note",
                                         "reference_ms"};
  Earlier earlier;
  if (!resume)
    expect_new(out);
  else if (std::filesystem::is_regular_file(out))
    earlier = read_earlier(out, columns);
  drop_measured(candidates, earlier.archs);
  const auto done = all - static_cast<std::int64_t>(candidates.size());
  if (done > 0)
    core::log_info(std::to_string(done) + " of " + std::to_string(all) + " networks are in " + out);

  Rows rows(out, columns, earlier);

  double reference = std::numeric_limits<double>::quiet_NaN();
  evaluators::Workbench::Parts parts;
  parts.space = work.space.get();
  parts.seed = work.file.seed;
  parts.best_reference = [&](const std::string&) { return earlier.reference; };
  parts.reference = [&](const Candidate&, const core::Measurement& m) { reference = m.value; };
  const auto evaluator =
      objective.measuring.make(evaluators::Workbench(std::move(parts)), {objective.metric});
  core::Progress progress("measure " + objective.metric, all, done);
  evaluator->evaluate(candidates, [&](std::size_t i, const evaluators::Evaluator::Row& row) {
    const core::Measurement& m = row[0];
    rows.add({candidates[i].arch, m.ok() ? core::format_double(m.value) : "",
              core::format_double(m.standard_error), m.message,
              std::isnan(reference) ? "" : core::format_double(reference)});
    progress.update(done + static_cast<std::int64_t>(i) + 1);
  });
  progress.finish();
}

}  // namespace mosaic::jobs
