#include "shapes.hpp"

namespace mosaic::spaces {
namespace {

const core::Registered kEntry{ops(), "identity", "its input (a skip connection)", view_op()};

}  // namespace
}  // namespace mosaic::spaces
