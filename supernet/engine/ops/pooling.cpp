#include <ATen/ATen.h>

#include "engine/channels.hpp"
#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// Square window sizes of a pooling node.
struct Window {
  std::array<std::int64_t, 2> kernel, stride, padding;
  explicit Window(const spaces::GraphNode& node) {
    kernel.fill(node.attribute("kernel"));
    stride.fill(node.attribute("stride"));
    padding.fill(node.attribute("padding"));
  }
};

at::Tensor avg_pool(const OpCall& call) {
  const Window window(call.node);
  return unfolded(at::avg_pool2d(folded(call.inputs[0]), window.kernel, window.stride,
                                 window.padding, /*ceil_mode=*/false, /*count_include_pad=*/false),
                  call.networks);
}

at::Tensor max_pool(const OpCall& call) {
  const Window window(call.node);
  return unfolded(
      at::max_pool2d(folded(call.inputs[0]), window.kernel, window.stride, window.padding),
      call.networks);
}

const core::Registered kAvgEntry{op_kernels(), "avg_pool", "at::avg_pool2d; padding does not count",
                                 avg_pool};
const core::Registered kMaxEntry{op_kernels(), "max_pool", "at::max_pool2d", max_pool};
const core::Registered kGlobalEntry{op_kernels(), "global_avg_pool", "mean over height and width",
                                    [](const OpCall& call) {
                                      return call.inputs[0].mean({3, 4});
                                    }};

}  // namespace
}  // namespace mosaic::supernet
