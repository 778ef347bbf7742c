#include "engine/profile.hpp"

#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/cuda.h>

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <utility>

namespace mosaic::supernet {
namespace {

std::vector<Profile::Share> sorted(const std::map<std::string, Profile::Share>& shares) {
  std::vector<Profile::Share> result;
  for (const auto& [name, share] : shares) result.push_back(share);
  std::stable_sort(result.begin(), result.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return result;
}

}  // namespace

std::string kernel_class(const std::string& kernel) {
  // The first that is found in a name says what it does.
  static constexpr std::array<std::pair<const char*, const char*>, 37> kWords{{
      {"activation", "bias and activation"},
      {"Memcpy", "copies and casts"},
      {"Memset", "zeros"},
      {"FillFunctor", "zeros"},
      {"mix", "mixing"},
      {"adam", "optimiser"},
      {"Adam", "optimiser"},
      {"multi_tensor_apply", "optimiser"},
      {"fmha", "attention"},
      {"flash", "attention"},
      {"attention", "attention"},
      {"attend", "attention"},
      {"add_chunks", "embedding"},
      {"add_ends", "embedding"},
      {"losses_of", "cross-entropy"},
      {"gradient_of", "cross-entropy"},
      {"softmax", "cross-entropy"},
      {"SoftMax", "cross-entropy"},
      {"nll_loss", "cross-entropy"},
      {"norm", "normalisation"},
      {"Norm", "normalisation"},
      {"GammaBeta", "normalisation"},
      {"embedding", "embedding"},
      {"indexing", "embedding"},
      {"index", "embedding"},
      {"gemm", "matrix product"},
      {"gemv", "matrix product"},
      {"nvjet", "matrix product"},
      {"cutlass", "matrix product"},
      {"splitK", "matrix product"},
      {"conv", "convolution"},
      {"wgrad", "convolution"},
      {"dgrad", "convolution"},
      {"pool", "pooling"},
      {"reduce", "reductions"},
      {"copy", "copies and casts"},
      {"CatArray", "copies and casts"},
  }};
  for (const auto& [word, name] : kWords)
    if (kernel.find(word) != std::string::npos) return name;
  return "elementwise";
}

std::string kernel_name(const std::string& kernel) {
  static const std::regex where(R"(\(anonymous namespace\)::|\b[A-Za-z_]\w*::|^void )");
  return std::regex_replace(kernel, where, "");
}

Profile profiled(const std::function<void()>& work) {
  Profile result;
  if (!torch::cuda::is_available()) {
    work();
    return result;
  }
  using torch::profiler::impl::ActivityType;
  const torch::profiler::impl::ProfilerConfig how(torch::profiler::impl::ProfilerState::KINETO);
  const std::set<ActivityType> what{ActivityType::CUDA};
  torch::autograd::profiler::prepareProfiler(how, what);
  torch::autograd::profiler::enableProfiler(how, what);
  work();
  torch::cuda::synchronize();
  const auto found = torch::autograd::profiler::disableProfiler();
  std::map<std::string, Profile::Share> classes, kernels;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
  for (const auto& event : found->events()) {
    if (event.deviceType() != c10::DeviceType::CUDA) continue;
    const double seconds = static_cast<double>(event.durationNs()) * 1e-9;
    const std::string name = event.name();
    for (auto& [share, of] : {std::pair(&classes[kernel_class(name)], kernel_class(name)),
                              std::pair(&kernels[name], name)}) {
      share->name = of;
      share->seconds += seconds;
      ++share->launches;
    }
    spans.emplace_back(event.startNs(), event.endNs());
  }
  std::sort(spans.begin(), spans.end());
  std::uint64_t busy = 0, end = 0;
  for (const auto& [from, to] : spans) {
    if (to > std::max(end, from)) busy += to - std::max(end, from);
    end = std::max(end, to);
  }
  if (!spans.empty()) result.seconds = static_cast<double>(end - spans[0].first) * 1e-9;
  result.busy = static_cast<double>(busy) * 1e-9;
  result.classes = sorted(classes);
  result.kernels = sorted(kernels);
  return result;
}

}  // namespace mosaic::supernet
