#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered kGeluEntry{ops(), "gelu", "x Phi(x), exactly (Hendrycks and Gimpel 2016)",
                                  same_shape_op()};
const core::Registered kSiluEntry{ops(), "silu", "x sigmoid(x), also called swish",
                                  same_shape_op()};
const core::Registered kTanhEntry{ops(), "tanh", "hyperbolic tangent", same_shape_op()};

}  // namespace
}  // namespace mosaic::spaces
