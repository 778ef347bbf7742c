#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

OpSpec spec() {
  OpSpec result = same_shape_op();
  result.is_view = true;
  return result;
}

const core::Registered kEntry{
    ops(), "dropout",
    "in training: a share `p` of the entries becomes 0, the others grow by 1 / (1 - p)", spec()};

}  // namespace
}  // namespace mosaic::spaces
