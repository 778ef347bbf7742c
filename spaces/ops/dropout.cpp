#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered kEntry{
    ops(), "dropout",
    "in training: a share `p` of the entries becomes 0, the others grow by 1 / (1 - p)", view_op()};

}  // namespace
}  // namespace mosaic::spaces
