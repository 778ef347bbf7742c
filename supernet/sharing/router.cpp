#include "mosaic/supernet/sharing/router.hpp"

#include <stdexcept>

namespace mosaic::supernet {

core::Registry<RouterFactory>& routers() {
  static core::Registry<RouterFactory> registry("router");
  return registry;
}

Ancestry ArchRouter::ancestry(const ArchRouter&) const {
  throw std::logic_error("this router does not change while it is trained");
}

}  // namespace mosaic::supernet
