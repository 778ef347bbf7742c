/// Shape rules that several ops share.
#pragma once

#include <stdexcept>

#include "mosaic/spaces/ops.hpp"

namespace mosaic::spaces {

inline void require_inputs(const std::vector<Shape>& inputs, std::size_t count) {
  if (inputs.size() != count)
    throw std::logic_error("needs " + std::to_string(count) + " input(s), got " +
                           std::to_string(inputs.size()));
}

inline void require_axes(const Shape& shape, std::size_t axes, const char* layout) {
  if (shape.size() != axes)
    throw std::logic_error("needs an input of shape " + std::string(layout) + ", got one of " +
                           std::to_string(shape.size()) + " axes");
}

/// Of an attribute that a node need not have.
inline Extent attribute_or(const Node& node, const char* key, const Extent& fallback) {
  const auto found = node.attributes.find(key);
  return found == node.attributes.end() ? fallback : found->second;
}

inline void require_equal(const Shape& a, const Shape& b) {
  if (a.size() != b.size()) throw std::logic_error("its inputs differ in their number of axes");
  for (std::size_t axis = 0; axis < a.size(); ++axis) {
    if (a[axis].symbols() == b[axis].symbols() && (a[axis] != b[axis]).max() == 0) continue;
    throw std::logic_error("its inputs differ along axis " + std::to_string(axis) +
                           " in some architecture (" + std::to_string(b[axis].max()) + " and " +
                           std::to_string(a[axis].max()) + " at most)");
  }
}

inline double no_flops(const GraphNode&, const std::vector<Dims>&, const Dims&) { return 0; }

/// Output extent of a sliding window: floor((size + 2 padding - kernel) / stride) + 1, at least 1
/// everywhere.
inline Extent window(const Extent& size, const Extent& kernel, const Extent& stride,
                     const Extent& padding) {
  Extent result = (size + Extent(2) * padding - kernel) / stride + Extent(1);
  if (result.min() < 1)
    throw std::logic_error("the input gets smaller than the window in some architecture");
  return result;
}

inline double elements(const Dims& dims) {
  double count = 1;
  for (const auto dim : dims) count *= static_cast<double>(dim);
  return count;
}

/// Ops that keep the shape of their only input and have no multiply-accumulates.
inline OpSpec same_shape_op() {
  return {.shape =
              [](const Node&, const std::vector<Shape>& inputs) {
                require_inputs(inputs, 1);
                return inputs[0];
              },
          .flops = no_flops,
          .position = OpSpec::Position::alone};
}

/// Those whose output may be their input.
inline OpSpec view_op() {
  OpSpec result = same_shape_op();
  result.is_view = true;
  return result;
}

/// Checks what may be the last of the inputs of an op whose result depends on the position.
inline void require_numbers(const std::vector<Shape>& inputs, const char* layout) {
  if (inputs.size() != 1 && inputs.size() != 2)
    throw std::logic_error("needs one input, and at most the numbers of its positions");
  require_axes(inputs[0], 2, layout);
  if (inputs.size() == 2) require_equal({inputs[0][0]}, inputs[1]);
}

/// Pooling over square windows: attributes kernel, stride, padding.
inline OpSpec pooling_op() {
  return {.shape =
              [](const Node& node, const std::vector<Shape>& inputs) {
                require_inputs(inputs, 1);
                require_axes(inputs[0], 3, "[channels, height, width]");
                const auto& a = node.attributes;
                const auto side = [&](const Extent& size) {
                  return window(size, a.at("kernel"), a.at("stride"), a.at("padding"));
                };
                return Shape{inputs[0][0], side(inputs[0][1]), side(inputs[0][2])};
              },
          .flops = no_flops};
}

}  // namespace mosaic::spaces
