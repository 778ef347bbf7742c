// MobileNetV3 in which depths, kernels and expansions are elastic: the space of Once-for-All (Cai
// et al. 2020), as its authors' code has it (ofa_mbv3_d234_e346_k357, widths 1.0 and 1.2), and a
// layout for small images. Smaller kernels are the centre of the largest one, without the learned
// matrices that transform them there; resolution is the task's.
#include "divisible.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

struct Stage {
  std::int64_t width, stride;
  bool squeezes;
  const char* activation;
};

Value activated(SpaceBuilder& b, const std::string& name, Value x, const char* activation) {
  return b.node(name, activation, {x});
}

/// Squeeze-and-excitation (Hu et al. 2018) with a quarter of the channels inside.
Value squeezed(SpaceBuilder& b, Value x) {
  const Extent channels = b.shape(x)[0];
  const Extent inner = divisible_by_8(channels / 4 * 100);
  Value y = b.global_avg_pool("se.pool", x);
  y = b.relu("se.relu", b.linear("se.reduce", y, {.out = inner}));
  y = b.node("se.gate", "hard_sigmoid", {b.linear("se.expand", y, {.out = channels})});
  return b.node("se", "scale", {x, y});
}

/// Expansion by 1 x 1 (unless there is none), depthwise convolution, projection by 1 x 1; plus the
/// input where shapes allow it.
Value inverted_residual(SpaceBuilder& b, const Value x, const Stage& stage, std::int64_t stride,
                        const Extent& kernel, const Extent& expansion) {
  const std::int64_t in = b.shape(x)[0].max();
  const Extent inner = divisible_by_8(in * expansion * 100);
  Value y = x;
  if (expansion.max() > 1) {
    y = b.batch_norm("expand.bn", b.conv("expand", y, {.out = inner, .kernel = 1}));
    y = activated(b, "expand.act", y, stage.activation);
  }
  y = b.conv("depthwise", y, {.out = inner, .kernel = kernel, .stride = stride, .groups = inner});
  y = activated(b, "depthwise.act", b.batch_norm("depthwise.bn", y), stage.activation);
  if (stage.squeezes) y = squeezed(b, y);
  y = b.batch_norm("project.bn", b.conv("project", y, {.out = stage.width, .kernel = 1}));
  return stride == 1 && in == stage.width ? b.add("add", {x, y}) : y;
}

void build(SpaceBuilder& b) {
  const bool small = b.option("size", {"cifar", "imagenet"}) == "cifar";
  const std::int64_t percent = b.option("width_percent", 100, 10, 400);
  const std::int64_t blocks = b.option("blocks", 4, 2, 4);  // most blocks of a stage
  const auto width = [&](std::int64_t channels) {
    return divisible_by_8(channels * percent).max();
  };
  // On small images the stem and the first stage keep the resolution.
  const std::int64_t early = small ? 1 : 2;
  const std::vector<Stage> stages{
      {width(24), early, false, "relu"},   {width(40), 2, true, "relu"},
      {width(80), 2, false, "hard_swish"}, {width(112), 1, true, "hard_swish"},
      {width(160), 2, true, "hard_swish"},
  };
  std::vector<std::int64_t> depths;
  for (std::int64_t depth = 2; depth <= blocks; ++depth) depths.push_back(depth);

  const ImageShape task = image_shape(b.task());
  const Value images = b.input("image", task.image());
  Value x = b.conv("stem.conv", images, {.out = width(16), .kernel = 3, .stride = early});
  x = activated(b, "stem.act", b.batch_norm("stem.bn", x), "hard_swish");
  x = b.scope("first", [&] {
    return inverted_residual(b, x, {width(16), 1, false, "relu"}, 1, 3, 1);
  });
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string name = "stage" + std::to_string(i + 1);
    const Extent depth = b.choice(name + ".depth", depths);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const auto body = [&] {
        return b.scope(name + "." + std::to_string(block), [&] {
          const Extent kernel = b.choice("kernel", {3, 5, 7});
          const Extent expansion = b.choice("expansion", {3, 4, 6});
          return inverted_residual(b, x, stages[i], block == 0 ? stages[i].stride : 1, kernel,
                                   expansion);
        });
      };
      x = block < depths.front() ? body() : b.when(depth > Extent(block), x, body);
    }
  }
  x = b.batch_norm("last.bn", b.conv("last.conv", x, {.out = width(960), .kernel = 1}));
  x = b.global_avg_pool("pool", activated(b, "last.act", x, "hard_swish"));
  x = b.linear("mix", x, {.out = width(1280), .bias = false});
  x = b.linear("classifier", activated(b, "mix.act", x, "hard_swish"), {.out = task.classes});
  b.entry("forward", {images}, {x});
}

const core::Registered kEntry{space_types(), "mobilenetv3",
                              "MobileNetV3 with elastic depths, kernels and expansions in five "
                              "stages (Once-for-All), also for "
                              "small images",
                              SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
