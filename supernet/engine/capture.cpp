#include "engine/capture.hpp"

#include <ATen/ATen.h>

#include <stdexcept>

#ifdef MOSAIC_CUDA
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace mosaic::supernet {

#ifdef MOSAIC_CUDA

bool can_record(const std::string& device) { return device != "cpu"; }

Recording::Pool Recording::make_pool() { return at::cuda::graph_pool_handle(); }

class Recording::Graph {
 public:
  at::cuda::CUDAGraph graph;
};

Recording::Recording(const std::function<void()>& pass, Pool pool, at::Generator random)
    : graph_(std::make_unique<Graph>()) {
  const auto stream = at::cuda::getStreamFromPool(/*isHighPriority=*/false);
  const c10::cuda::CUDAStreamGuard guard(stream);
  c10::cuda::device_synchronize();
  pass();
  c10::cuda::device_synchronize();
  graph_->graph.register_generator_state(random);
  graph_->graph.capture_begin(pool);
  try {
    pass();
  } catch (...) {
    graph_->graph.capture_end();
    throw;
  }
  graph_->graph.capture_end();
  c10::cuda::device_synchronize();
}

void Recording::replay() { graph_->graph.replay(); }

void release_unused_memory(const std::string& device) {
  if (device != "cpu") c10::cuda::CUDACachingAllocator::emptyCache();
}

at::Generator make_random(const std::string& device) {
  if (device == "cpu") return at::make_generator<at::CPUGeneratorImpl>();
  return at::cuda::detail::createCUDAGenerator(at::Device(device).index());
}

#else

bool can_record(const std::string&) { return false; }

class Recording::Graph {};

Recording::Pool Recording::make_pool() { return {}; }

Recording::Recording(const std::function<void()>&, Pool, at::Generator) {
  throw std::logic_error("nothing can be recorded without CUDA: ask can_record()");
}

void Recording::replay() {}

void release_unused_memory(const std::string&) {}

at::Generator make_random(const std::string&) { return at::make_generator<at::CPUGeneratorImpl>(); }

#endif

Recording::~Recording() = default;

}  // namespace mosaic::supernet
