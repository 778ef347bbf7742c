// Which CPU kernels LibTorch's oneDNN may use.
#include <cstdlib>

namespace mosaic::supernet {
namespace {

/// On AMD processors without AVX-512 the AVX2 convolutions of oneDNN in LibTorch 2.11 write beyond
/// their buffers in training ("double free or corruption"); its SSE 4.1 kernels do not. An
/// ONEDNN_MAX_CPU_ISA that is set already is left alone. oneDNN reads it at its first use.
const bool kLimited = [] {
  __builtin_cpu_init();
  if (__builtin_cpu_is("amd") && !__builtin_cpu_supports("avx512f"))
    setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 0);
  return true;
}();

}  // namespace
}  // namespace mosaic::supernet
