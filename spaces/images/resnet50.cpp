// ResNet-50-D (He et al. 2019) in which depths, widths and inner widths are elastic: the space of
// Once-for-All (Cai et al. 2020) as its authors' code has it (ofa_resnet50), and a layout for small
// images. Resolution is the task's.
#include <algorithm>

#include "divisible.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

constexpr std::int64_t kStages = 4;

Value conv_bn(SpaceBuilder& b, const std::string& name, Value x, const ConvOptions& options) {
  return b.batch_norm(name + ".bn", b.conv(name, x, options));
}

Value conv_bn_relu(SpaceBuilder& b, const std::string& name, Value x, const ConvOptions& options) {
  return b.relu(name + ".relu", conv_bn(b, name, x, options));
}

/// Means over 2 x 2, as many as a convolution of stride 2 gives: an odd side is padded before its
/// first row, where PyTorch's ceil mode would have it after the last one.
Value halved(SpaceBuilder& b, Value x) {
  return b.avg_pool("shortcut.pool", x, 2, 2, b.shape(x)[1].max() % 2);
}

/// 1 x 1, 3 x 3, 1 x 1, plus the input. The first block of a stage fits the input by the mean over
/// 2 x 2 and a 1 x 1 convolution.
Value bottleneck(SpaceBuilder& b, Value x, const Extent& width, std::int64_t stride, bool fit) {
  const Extent inner = divisible_part(width, b.choice("expansion_percent", {20, 25, 35}));
  Value y = conv_bn_relu(b, "conv1", x, {.out = inner, .kernel = 1});
  y = conv_bn_relu(b, "conv2", y, {.out = inner, .kernel = 3, .stride = stride});
  y = conv_bn(b, "conv3", y, {.out = width, .kernel = 1});
  if (fit && stride == 2) x = halved(b, x);
  if (fit) x = conv_bn(b, "shortcut", x, {.out = width, .kernel = 1});
  return b.relu("relu", b.add("add", {x, y}));
}

void build(SpaceBuilder& b) {
  const bool small = b.option("size", {"cifar", "imagenet"}) == "cifar";
  const std::int64_t percent = b.option("width_percent", 100, 10, 400);
  const std::int64_t more =
      b.option("more_blocks", 2, 0, 2);  // than the fewest of a stage, at most
  /// Widths of 65, 80 and 100 percent, each of them once.
  const auto widths = [&](std::int64_t channels, std::int64_t divisor) {
    std::vector<std::int64_t> result;
    for (const std::int64_t part : {65, 80, 100}) {
      const std::int64_t whole = divisible_by_8(channels * percent * part / 100).max();
      result.push_back(divisor == 1 ? whole : divisible_by_8(whole / divisor * 100).max());
    }
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  };

  const ImageShape task = image_shape(b.task());
  const Value images = b.input("image", task.image());
  const Extent inner = b.choice("stem.inner_width", widths(64, 2));
  const Extent out = b.choice("stem.width", widths(64, 1));
  const Extent middle = b.choice("stem.middle", {0, 1});  // is there a layer in between?
  Value x =
      conv_bn_relu(b, "stem.conv1", images, {.out = inner, .kernel = 3, .stride = small ? 1 : 2});
  x = b.when(middle, x, [&] {
    return b.add("stem.add", {x, conv_bn_relu(b, "stem.conv2", x, {.out = inner, .kernel = 3})});
  });
  x = conv_bn_relu(b, "stem.conv3", x, {.out = out, .kernel = 3});
  if (!small) x = b.max_pool("stem.pool", x, 3, 2, 1);

  for (std::int64_t stage = 0; stage < kStages; ++stage) {
    const std::string name = "stage" + std::to_string(stage + 1);
    const std::int64_t fewest = stage == 2 ? 4 : 2;
    std::vector<std::int64_t> depths;
    for (std::int64_t depth = fewest; depth <= fewest + more; ++depth) depths.push_back(depth);
    const Extent depth = b.choice(name + ".depth", depths);
    const Extent width = b.choice(name + ".width", widths(std::int64_t{256} << stage, 1));
    for (std::int64_t block = 0; block < depths.back(); ++block) {
      const auto body = [&] {
        return b.scope(name + "." + std::to_string(block), [&] {
          return bottleneck(b, x, width, block == 0 && stage > 0 ? 2 : 1, block == 0);
        });
      };
      x = block < fewest ? body() : b.when(depth > Extent(block), x, body);
    }
  }
  x = b.global_avg_pool("pool", x);
  b.entry("forward", {images}, {b.linear("classifier", x, {.out = task.classes})});
}

const core::Registered kEntry{
    space_types(), "resnet50",
    "ResNet-50-D with elastic depths, widths and inner widths in four stages (Once-for-All), also "
    "for small images",
    SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
