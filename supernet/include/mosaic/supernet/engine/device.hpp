/// The device that networks run on. Free of torch.
#pragma once

#include <string>

namespace mosaic::supernet {

/// Sets the number of CPU threads of LibTorch, and says how many there are.
void set_threads(int threads);
int threads();
/// "cpu: AMD EPYC (2 threads)" or "cuda: NVIDIA H200".
std::string describe_device(const std::string& device);
/// "auto" -> "cuda" where LibTorch sees a GPU, else "cpu". "cuda" without one: core::UsageError
/// with advice.
std::string resolve_device(const std::string& wanted);
/// The GPU's name, or why there is none.
std::string gpu_state();
std::string torch_version();

}  // namespace mosaic::supernet
