#include <torch/torch.h>
#include <unistd.h>

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
#include "mosaic/supernet/trainer.hpp"

namespace mosaic::supernet {

namespace {

/// Starts and ends `count` threads. LibTorch waits for ever for those that it may not start.
void expect_threads(long count) {
  std::promise<void> end;
  const auto ended = end.get_future().share();
  std::vector<std::thread> threads;
  std::string why;
  try {
    while (static_cast<long>(threads.size()) < count)
      threads.emplace_back([ended] { ended.wait(); });
  } catch (const std::system_error& error) {
    why = error.code().message();
  }
  end.set_value();
  for (auto& thread : threads) thread.join();
  if (!why.empty())
    throw core::Error("LibTorch needs " + std::to_string(count) + " threads here, and only " +
                          std::to_string(threads.size()) + " can be started: " + why,
                      "raise the limit on processes and threads (ulimit -u; in a container "
                      "--pids-limit)");
}

}  // namespace

void set_threads(int threads) {
  const int wanted = threads > 0 ? threads : core::usable_cores();
  // Those asked for, and a pool of one for each processor of the machine.
  expect_threads(::sysconf(_SC_NPROCESSORS_ONLN) + wanted);
  at::set_num_threads(wanted);
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
