/// The scatter plots of the ranking page.
#pragma once

#include <cstddef>
#include <string>

#include "rank.hpp"

namespace mosaic::cli {

/// Truth (upwards) against the mean score of a summarised result, as one inline SVG that takes its
/// colours from the page. Each network is a circle with its index in data-i; rings mark the best
/// truth (class best) and the best score (class pick); a dashed line is where the two agree, for
/// scores on the truth's scale. Networks whose score is not finite are left out, and counted.
std::string rank_scatter(const RankResult& result, std::size_t score);

}  // namespace mosaic::cli
