/// What a job would do and cost, before it begins. Free of torch.
#pragma once

#include <string>
#include <vector>

#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/ranking.hpp"

namespace mosaic::jobs {

/// A part of a job, and what there is to know of it: "training", "2,532 steps of 128 examples:
/// about 6 min and 1.2 GiB of memory".
struct PlanLine {
  std::string part;
  std::string text;
};

/// Checks all of a job: its file and keys, data, space, device, what it was begun with where the
/// database has it, and where it would write; then times some steps of training and an evaluation
/// of the largest network, and says what is left of each part: steps, measurements and scores that
/// are recorded are not counted. Nothing is written, and nothing is made. Throws what run_job()
/// would throw before it begins.
std::vector<PlanLine> plan_job(const RunOptions& options);

/// As plan_job(), of a ranking.
std::vector<PlanLine> plan_rank(const RankOptions& options);

}  // namespace mosaic::jobs
