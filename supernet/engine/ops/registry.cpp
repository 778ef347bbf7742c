#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

core::Registry<OpKernel>& op_kernels() {
  static core::Registry<OpKernel> registry("op kernel");
  return registry;
}

}  // namespace mosaic::supernet
