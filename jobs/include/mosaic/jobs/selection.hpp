/// Which network of a job is wanted: what `best`, `extract`, `front` and the end of a job share.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::jobs {

/// What is asked of the network, in words as they are given on the command line.
struct Selection {
  std::vector<std::string> max;
  std::vector<std::string> min;
  std::string metric;  ///< empty: the job's first objective
  std::string goal;    ///< "max" or "min"; empty: as the job has it, or as usual for the metric
  std::size_t count = 1;
};

/// A lower and an upper bound of one metric that no value keeps both, where there are such.
std::optional<std::pair<db::Constraint, db::Constraint>> contradiction(
    const std::vector<db::Constraint>& bounds);

/// "latency_ms=2" of --max or --min. Throws UsageError.
db::Constraint parse_bound(const std::string& text, bool upper);

/// Text form of a network that is given by it or by its hash. A hash that the job does not know:
/// UsageError.
std::string arch_of(const db::Reader& reader, const db::Job& job, const std::string& given);

/// The best networks under the bounds given and the job's own constraints (but for metrics that a
/// bound is given for), and a warning where a suspect timing had a say. Throws UsageError for a
/// metric that was never measured, Error where no network keeps the bounds: which is nearest, and
/// what it misses.
std::vector<db::Network> choose(const db::Reader& reader, const db::Job& job,
                                const Selection& selection);

/// Why the front of a job is empty, as an error that says what to do.
core::Error empty_front(const db::Reader& reader, const db::Job& job);

/// What a front does not show: candidates that failed and why (most frequent first), timings that
/// were taken while the device was slow.
std::vector<std::string> remarks(const db::Reader& reader, const db::Job& job,
                                 const std::vector<db::Network>& front);
/// Says them on standard error, and that the job is not done where it is not.
void comment_on(const db::Reader& reader, const db::Job& job,
                const std::vector<db::Network>& front);

/// What is to be known of a network's values before they are trusted ("latency_ms: device slow:
/// reference network at 9.42x of its best"); empty for most.
std::string note_of(const db::Network& network);

/// "8 of 36 networks failed: no row for this network (7), out of memory (1)"; empty where none did.
std::string failures_text(const db::Reader& reader, const db::Job& job);

}  // namespace mosaic::jobs
