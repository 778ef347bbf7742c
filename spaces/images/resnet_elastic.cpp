// A small residual network in which depth, width, kernel and inner width are elastic (after
// Once-for-All, Cai et al. 2020, on the CIFAR residual networks of He et al. 2016).
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

/// conv k x k -> batch norm -> ReLU -> conv 3 x 3 -> batch norm, plus the input; a 1 x 1
/// convolution fits the input where the block changes width or resolution. The first convolution
/// makes the inner width.
Value residual_block(SpaceBuilder& b, Value x, const Extent& width, std::int64_t stride, bool fit) {
  const Extent kernel = b.choice("kernel", {3, 5});
  const Extent expansion = b.choice("expansion_percent", {50, 75, 100});
  Value y =
      b.conv("conv1", x, {.out = width * expansion / 100, .kernel = kernel, .stride = stride});
  y = b.relu("relu1", b.batch_norm("bn1", y));
  y = b.batch_norm("bn2", b.conv("conv2", y, {.out = width, .kernel = 3}));
  if (fit)
    x = b.batch_norm("bn0", b.conv("conv0", x, {.out = width, .kernel = 1, .stride = stride}));
  return b.relu("relu2", b.add("add", {x, y}));
}

void build(SpaceBuilder& b) {
  const std::int64_t scale =
      b.option("width", 16, 4, 1024) / 4;                   // widest channels of the first stage
  const std::int64_t blocks = b.option("blocks", 3, 1, 8);  // most blocks of a stage

  const ImageShape task = image_shape(b.task());
  const Value images = b.input("image", task.image());
  Value x = b.conv("stem.conv", images, {.out = 4 * scale, .kernel = 3});
  x = b.relu("stem.relu", b.batch_norm("stem.bn", x));

  std::vector<std::int64_t> depths;
  for (std::int64_t depth = 1; depth <= blocks; ++depth) depths.push_back(depth);
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    const std::int64_t unit = scale << stage;
    const std::string name = "stage" + std::to_string(stage + 1);
    const Extent depth = b.choice(name + ".depth", depths);
    const Extent width = b.choice(name + ".width", {2 * unit, 3 * unit, 4 * unit});
    for (std::int64_t block = 0; block < blocks; ++block) {
      const auto body = [&] {
        return b.scope(name + "." + std::to_string(block), [&] {
          return residual_block(b, x, width, block == 0 && stage > 0 ? 2 : 1, block == 0);
        });
      };
      x = b.when(depth > Extent(block), x, body);
    }
  }
  x = b.global_avg_pool("pool", x);
  b.entry("forward", {images}, {b.linear("classifier", x, {.out = task.classes})});
}

const core::Registered kEntry{
    space_types(), "resnet-elastic",
    "residual network with elastic depth, widths, kernels and inner widths in three stages",
    SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
