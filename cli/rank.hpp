/// A ranking as text.
#pragma once

#include <string>

#include "mosaic/jobs/rank_result.hpp"

namespace mosaic::cli {

/// For the terminal: one row a score, means over seeds with half their 95% interval, below it what
/// the columns are.
std::string text_table(const jobs::RankResult& result);

/// Prints a ranking and writes its page: to `page`, or to rank.html beside the database.
void show_ranking(const jobs::RankResult& result, const std::string& db, const std::string& page,
                  bool json);

}  // namespace mosaic::cli
