#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered kLayerEntry{
    ops(), "layer_norm",
    "normalisation over the last axis, per position; weight and bias [features] (Ba et al. 2016)",
    same_shape_op()};
const core::Registered kRmsEntry{
    ops(), "rms_norm",
    "x over its root mean square along the last axis; weight [features] (Zhang and Sennrich 2019)",
    same_shape_op()};

}  // namespace
}  // namespace mosaic::spaces
