#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered kEntry{ops(), "relu", "max(x, 0)", same_shape_op()};

}  // namespace
}  // namespace mosaic::spaces
