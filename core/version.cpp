#include "mosaic/core/process.hpp"

// A file of its own: it is compiled again with every commit.
#if __has_include("mosaic/build_info.hpp")
#include "mosaic/build_info.hpp"
#endif

namespace mosaic::core {

std::string version() {
#if defined(MOSAIC_VERSION)
  return MOSAIC_VERSION;
#elif __has_include("mosaic/build_info.hpp")
  return build_info::kVersion;
#else
  return "unknown";
#endif
}

std::string revision() {
#if defined(MOSAIC_REVISION)
  return MOSAIC_REVISION;
#elif __has_include("mosaic/build_info.hpp")
  return build_info::kGitRevision;
#else
  return "unknown";
#endif
}

}  // namespace mosaic::core
