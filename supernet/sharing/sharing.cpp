#include "mosaic/supernet/sharing/sharing.hpp"

#include <stdexcept>

namespace mosaic::supernet {

core::Registry<SharingFactory>& sharing_kinds() {
  static core::Registry<SharingFactory> registry("way of sharing");
  return registry;
}

Ancestry Sharing::ancestry(const Sharing&) const {
  throw std::logic_error("this way of sharing does not change while it is trained");
}

}  // namespace mosaic::supernet
