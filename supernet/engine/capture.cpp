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

class OwnStream::Guard {
 public:
  Guard() : guard_(stream()) {}

 private:
  static c10::cuda::CUDAStream stream() {
    static const auto kept = c10::cuda::getStreamFromPool(/*isHighPriority=*/false);
    return kept;
  }
  c10::cuda::CUDAStreamGuard guard_;
};

OwnStream::OwnStream(const std::string& device) {
  if (!can_record(device)) return;
  if (c10::cuda::getCurrentCUDAStream() != c10::cuda::getDefaultCUDAStream()) return;
  c10::cuda::device_synchronize();
  guard_ = std::make_unique<Guard>();
}

OwnStream::~OwnStream() {
  if (guard_ && cudaDeviceSynchronize() != cudaSuccess) (void)cudaGetLastError();
}

Recording::Recording(const std::function<void()>& pass, Pool pool, at::Generator random,
                     bool warm_up)
    : graph_(std::make_unique<Graph>()) {
  const OwnStream own("cuda");
  if (warm_up) {  // which draws what the first replay draws
    const auto offset = random.get_offset();
    pass();
    c10::cuda::device_synchronize();
    random.set_offset(offset);
  }
  graph_->graph.register_generator_state(random);
  graph_->graph.capture_begin(pool);
  try {
    pass();
  } catch (...) {
    try {
      graph_->graph.capture_end();
    } catch (const std::exception&) {  // what broke the recording is told
    }
    throw;
  }
  graph_->graph.capture_end();
}

void Recording::replay() { graph_->graph.replay(); }

void release_unused_memory(const std::string& device) {
  if (device != "cpu") c10::cuda::CUDACachingAllocator::emptyCache();
}

double reserved_bytes(const std::string& device) {
  if (device == "cpu") return 0;
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
  return static_cast<double>(stats.reserved_bytes[0].current);
}

at::Generator make_random(const std::string& device) {
  if (device == "cpu") return at::make_generator<at::CPUGeneratorImpl>();
  return at::cuda::detail::createCUDAGenerator(at::Device(device).index());
}

#else

bool can_record(const std::string&) { return false; }

class OwnStream::Guard {};

OwnStream::OwnStream(const std::string&) {}

OwnStream::~OwnStream() = default;

class Recording::Graph {};

Recording::Pool Recording::make_pool() { return {}; }

Recording::Recording(const std::function<void()>&, Pool, at::Generator, bool) {
  throw std::logic_error("nothing can be recorded without CUDA: ask can_record()");
}

void Recording::replay() {}

void release_unused_memory(const std::string&) {}

double reserved_bytes(const std::string&) { return 0; }

at::Generator make_random(const std::string&) { return at::make_generator<at::CPUGeneratorImpl>(); }

#endif

Recording::~Recording() = default;

}  // namespace mosaic::supernet
