#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {

core::Registry<OpSpec>& ops() {
  static core::Registry<OpSpec> registry("op");
  return registry;
}

}  // namespace mosaic::spaces
