// Vision Transformers in which width, depth, heads and inner widths are elastic: the spaces T, S
// and B of AutoFormer (Chen et al. 2021, their table 1), and one for images of about 32 x 32.
//
// As in AutoFormer's code, the sizes named after it have a class token that the classifier does not
// see (it takes the mean of the patches), and relative positions beside the absolute ones.
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"

namespace mosaic::spaces {
namespace {

struct Size {
  std::vector<std::int64_t> width, heads, ratio_percent, depth;
  std::int64_t head_size, patch;
  std::int64_t distance = 0, class_token = 0;  ///< relative positions up to there; 0: none
};

Size size_of(const std::string& name) {
  if (name.starts_with("autoformer-")) {
    Size size = size_of(name.substr(name.find('-') + 1));
    size.distance = 14;
    size.class_token = 1;
    return size;
  }
  if (name == "tiny") return {{192, 216, 240}, {3, 4}, {350, 400}, {12, 13, 14}, 64, 16};
  if (name == "small") return {{320, 384, 448}, {5, 6, 7}, {300, 350, 400}, {12, 13, 14}, 64, 16};
  if (name == "base") return {{528, 576, 624}, {9, 10}, {300, 350, 400}, {14, 15, 16}, 64, 16};
  return {{96, 128, 160, 192}, {2, 3, 4}, {100, 150, 200}, {4, 5, 6, 7}, 32, 4};
}

/// Pre-norm, as in the papers.
Value block(SpaceBuilder& b, Value x, const Size& size, const std::optional<Grid>& grid,
            double drop) {
  const Extent heads = b.choice("heads", size.heads);
  const Extent ratio = b.choice("mlp_percent", size.ratio_percent);
  const Extent width = b.shape(x).back();
  Value y = layer_norm(b, "norm1", x);
  y = attention(b, "attention", y, y, {.heads = heads, .head_size = size.head_size, .grid = grid});
  x = b.add("add1", {x, dropout(b, "drop1", y, drop)});
  y = feed_forward(b, "mlp", layer_norm(b, "norm2", x), {.inner = width * ratio / 100});
  return b.add("add2", {x, dropout(b, "drop2", y, drop)});
}

void build(SpaceBuilder& b) {
  Size size = size_of(b.option("size", {"cifar", "tiny", "small", "base", "autoformer-tiny",
                                        "autoformer-small", "autoformer-base"}));
  size.depth = depths_up_to_option(b, size.depth);
  const std::int64_t patch = b.option("patch", size.patch, 1, 256);
  const double drop = static_cast<double>(b.option("dropout_percent", 0, 0, 90)) / 100;
  const bool leads = b.option("class_token", size.class_token, 0, 1) != 0;
  const std::int64_t distance = b.option("relative_positions", size.distance, 0, 256);
  const ImageShape task = image_shape(b.task());

  const Value images = b.input("image", task.image());
  const Extent width = b.choice("width", size.width);
  const Extent depth = b.choice("depth", size.depth);
  Value x =
      b.node("patches", "patch_embedding", {images}, {{"patch", patch}, {"out", width}},
             {b.weight("weight", "patches.weight", {width, task.channels, patch, patch},
                       std::vector<Crop>(4, Crop::leading), Init::xavier, "patches"),
              b.weight("bias", "patches.bias", {width}, {Crop::leading}, Init::zeros, "patches")});
  std::optional<Grid> grid;
  if (distance > 0) grid = {task.height / patch, task.width / patch, leads, distance};
  if (leads) x = class_token(b, "class_token", x);
  x = positions(b, "positions", x, b.shape(x)[0].max());
  for (std::int64_t layer = 0; layer < size.depth.back(); ++layer) {
    const auto body = [&] {
      return b.scope("layer" + std::to_string(layer),
                     [&] { return block(b, x, size, grid, drop); });
    };
    x = layer < size.depth.front() ? body() : b.when(depth > Extent(layer), x, body);
  }
  std::map<std::string, Extent> mean_of;
  if (leads) mean_of["skip"] = 1;
  x = b.node("mean", "mean_tokens", {layer_norm(b, "norm", x)}, mean_of);
  b.entry("forward", {images},
          {b.linear("classifier", x, {.out = task.classes, .init = Init::xavier})});
}

const core::Registered kEntry{space_types(), "vit",
                              "Vision Transformer with elastic width, depth, heads and inner "
                              "widths (AutoFormer's T, S and B with its relative positions, and "
                              "a size for small images)",
                              SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
