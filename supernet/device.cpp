#include <torch/torch.h>

#ifdef MOSAIC_CUDA
#include <cuda_runtime_api.h>
#endif

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/supernet/trainer.hpp"

namespace mosaic::supernet {

void set_threads(int threads) {
  at::set_num_threads(threads > 0 ? threads : core::usable_cores());
  // Convolutions must give the same weights twice, or a resumed job would end elsewhere.
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  // "float32" means float32: TF32 would change scores in the third digit.
  at::globalContext().setAllowTF32CuDNN(false);
}

int threads() { return at::get_num_threads(); }

std::string describe_device(const std::string& device) {
  if (device == "cpu")
    return "cpu: " + core::cpu_name() + " (" + std::to_string(threads()) + " threads)";
#ifdef MOSAIC_CUDA
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) == cudaSuccess)
    return "cuda: " + std::string(properties.name);
#endif
  return device;
}

std::string resolve_device(const std::string& wanted) {
  const bool gpu = torch::cuda::is_available();
  if (wanted == "auto") return gpu ? "cuda" : "cpu";
  if (wanted == "cuda" && !gpu)
    throw core::UsageError("device = \"cuda\", but this build of Mosaic sees no GPU",
                           "use device = \"cpu\" or \"auto\", or see what 'mosaic doctor' says");
  return wanted;
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace mosaic::supernet
