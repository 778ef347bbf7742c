/// The work behind `mosaic rank`. Free of torch.
#pragma once

#include <optional>
#include <string>

#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::jobs {

/// Which part of the work: a machine may train the truth while another trains supernets.
enum class RankPart { all, scores, truth };

struct RankOptions {
  std::string job_file;
  RankPart part = RankPart::all;
  std::string db = "results.db";
  std::string page;                   ///< HTML file; empty: rank.html beside the database
  std::vector<std::string> set = {};  ///< "KEY=VALUE" over the job file's
};

/// Trains what the job's [rank] section asks for and is not recorded yet, scores it, and returns
/// all statistics. Every score is committed as soon as it is made; a job that was stopped goes on.
std::optional<RankResult> run_rank(const RankOptions& options);

}  // namespace mosaic::jobs
