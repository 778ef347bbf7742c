/// Channels as the code of MobileNets counts them.
#pragma once

#include "mosaic/spaces/extent.hpp"

namespace mosaic::spaces {

/// The multiple of 8 next to hundredths / 100, and never less than nine tenths of it:
/// make_divisible of Howard et al. 2017.
inline Extent divisible_by_8(const Extent& hundredths) {
  Extent result = (hundredths + Extent(400)) / Extent(800) * Extent(8);
  result = choose(result < Extent(8), 8, result);
  return result + choose(Extent(1000) * result < Extent(9) * hundredths, 8, 0);
}

/// percent of so many channels, as a whole number first.
inline Extent divisible_part(const Extent& channels, const Extent& percent) {
  return divisible_by_8((channels * percent + Extent(50)) / Extent(100) * Extent(100));
}

}  // namespace mosaic::spaces
