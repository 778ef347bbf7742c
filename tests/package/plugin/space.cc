// A space in one file.
#include "mosaic/spaces/space.hpp"

namespace {

using namespace mosaic;
using namespace mosaic::spaces;

void build(SpaceBuilder& b) {
  const auto& ports = b.task().inputs;
  const auto points = b.input(ports.at(0)), scale = b.input(ports.at(1));
  const auto width = b.choice("width", {4, 8, 16});
  const auto summed = b.node("mean", "my-mean-over-length",
                             {b.relu("act", b.linear("embed", points, {.out = width}))});
  auto x = b.add("both", {summed, b.linear("gain", scale, {.out = width})});
  x = b.when(b.choice("layers", {1, 2}) > Extent(1), x,
             [&] { return b.relu("more.act", b.linear("more", x, {.out = width})); });
  b.entry("forward", {points, scale}, {b.linear("head", x, {.out = 1})});
}
const core::Registered kSpace{space_types(), "my-sequences", "an encoder of points",
                              SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
