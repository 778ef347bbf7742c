#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

OpSpec hard_sigmoid_op() {
  OpSpec result = same_shape_op();
  result.keeps_zero = false;
  return result;
}

const core::Registered kGeluEntry{ops(), "gelu", "x Phi(x), exactly (Hendrycks and Gimpel 2016)",
                                  same_shape_op()};
const core::Registered kSiluEntry{ops(), "silu", "x sigmoid(x), also called swish",
                                  same_shape_op()};
const core::Registered kHardSwishEntry{
    ops(), "hard_swish", "x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)", same_shape_op()};
const core::Registered kHardSigmoidEntry{ops(), "hard_sigmoid", "min(max(x + 3, 0), 6) / 6",
                                         hard_sigmoid_op()};
const core::Registered kTanhEntry{ops(), "tanh", "hyperbolic tangent", same_shape_op()};

}  // namespace
}  // namespace mosaic::spaces
