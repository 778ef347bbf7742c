/// What a test needs and a machine may lack.
#pragma once

#include <string>

namespace mosaic {

/// A skip fails where MOSAIC_REQUIRE_DATA, _TOOLS or _GPU is 1. scripts/setup.sh --with-chromium
/// installs the first two.
enum class Need {
  kData,   ///< Fashion-MNIST
  kTools,  ///< Chromium, the program sqlite3
  kGpu,    ///< a CUDA device
  kOther,  ///< a right, a published data set that nothing installs: always a skip
};

/// Ends the running test case (or section) here: as skipped, which is counted and printed when all
/// have run, or as failed where the need is required. `why` says what is missing and how to get it.
[[noreturn]] void skip(Need need, const std::string& why);

inline void need(bool there, Need need, const std::string& why) {
  if (!there) skip(need, why);
}

}  // namespace mosaic
