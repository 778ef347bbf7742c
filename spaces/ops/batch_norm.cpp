#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered entry{
    ops(), "batch_norm",
    "normalisation over batch and space; weight and bias [channels]; its statistics are no "
    "slots: calibration gives them per architecture",
    same_shape_op()};

}  // namespace
}  // namespace mosaic::spaces
