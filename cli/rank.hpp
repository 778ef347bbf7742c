/// A ranking as text.
#pragma once

#include <string>

#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::cli {

/// For the terminal: one row a score, means over seeds with half their 95% interval, below it what
/// the columns are.
std::string text_table(const jobs::RankResult& result);

}  // namespace mosaic::cli
