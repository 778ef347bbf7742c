#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

OpSpec spec() {
  OpSpec result = same_shape_op();
  result.bias_revives = false;  // as the 9,445 functions of NAS-Bench-201 are counted
  return result;
}

const core::Registered kEntry{
    ops(), "batch_norm",
    "normalisation over batch and space; weight and bias [channels]; its statistics are no "
    "slots: calibration gives them per architecture",
    spec()};

}  // namespace
}  // namespace mosaic::spaces
