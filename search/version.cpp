#include <pagmo/config.hpp>

#include "mosaic/search/search.hpp"

namespace mosaic::search {

std::string pagmo_version() { return PAGMO_VERSION; }

}  // namespace mosaic::search
