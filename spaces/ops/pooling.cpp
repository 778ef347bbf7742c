#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

Shape global_shape(const Node&, const std::vector<Shape>& inputs) {
  require_inputs(inputs, 1);
  require_axes(inputs[0], 3, "[channels, height, width]");
  return {inputs[0][0]};
}

const core::Registered kAvgEntry{ops(), "avg_pool", "mean over a window; padding does not count",
                                 pooling_op()};
const core::Registered kMaxEntry{ops(), "max_pool", "maximum over a window", pooling_op()};
const core::Registered kGlobalEntry{ops(), "global_avg_pool",
                                    "mean over space: [channels, height, width] -> [channels]",
                                    OpSpec{.shape = global_shape, .flops = no_flops}};

}  // namespace
}  // namespace mosaic::spaces
