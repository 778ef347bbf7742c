/// The HTML page of a ranking.
#pragma once

#include <string>

#include "rank.hpp"

namespace mosaic::cli {

/// One self-contained page of a summarised result (inline style, script and SVG; nothing is
/// fetched), in the style of the report: the statistics of each score with their intervals, truth
/// against score for each, and the numbers of all networks. Tables of statistics and plots need no
/// script; pointing at networks does.
std::string rank_page(const RankResult& result);

/// Writes it to `path` in one step. Throws core::Error where the file cannot be written.
void write_rank_page(const RankResult& result, const std::string& path);

}  // namespace mosaic::cli
