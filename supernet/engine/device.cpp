#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#ifdef MOSAIC_CUDA
#include <cuda_runtime_api.h>
#endif

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/supernet/engine/device.hpp"

namespace mosaic::supernet {

namespace {

/// Starts and ends the threads that LibTorch is going to: of its own pool, and of OpenMP. For those
/// of the first that it may not start it waits for ever, for want of the others it ends the
/// process.
void expect_threads(int cores) {
  const auto count = static_cast<std::size_t>(2 * (cores - 1));
  std::promise<void> end;
  const auto ended = end.get_future().share();
  std::vector<std::thread> threads;
  std::string why;
  try {
    while (threads.size() < count) threads.emplace_back([ended] { ended.wait(); });
  } catch (const std::system_error& error) {
    why = error.code().message();
  }
  end.set_value();
  for (auto& thread : threads) thread.join();
  if (!why.empty())
    throw core::Error("to compute on " + std::to_string(cores) + " cores takes " +
                          std::to_string(count) + " more threads, and only " +
                          std::to_string(threads.size()) + " can be started: " + why,
                      "raise the limit on processes and threads (ulimit -u; in a container "
                      "--pids-limit), or use fewer ([job] threads; taskset -c 0)");
}

}  // namespace

void set_threads(int threads) {
  const int wanted = threads > 0 ? threads : core::usable_cores();
  expect_threads(wanted);
  at::set_num_threads(wanted);
  // Convolutions must give the same weights twice, or a resumed job would end elsewhere.
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  // "float32" means float32: TF32 would change scores in the third digit.
  at::globalContext().setAllowTF32CuDNN(false);
  // Its attention plans anew for every shape, and shapes are what architectures differ in.
  at::globalContext().setSDPUseCuDNN(false);
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

std::string gpu_state() {
  if (torch::cuda::is_available()) return describe_device("cuda");
#ifdef MOSAIC_CUDA
  return "none: LibTorch sees no GPU (is the driver installed? does nvidia-smi work?)";
#else
  return "this is a CPU build; for a GPU build with: cmake --preset cuda";
#endif
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace mosaic::supernet
