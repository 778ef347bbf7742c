// Where should a network lose resolution? ResNet with widths by depth and freely placed poolings:
// the space of "Balanced Mixture of SuperNets for Learning the CNN Pooling Architecture"
// (Roshtkhari et al. 2023).
#include <algorithm>
#include <numeric>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

/// All ascending choices of `count` out of the layers 1 .. layers-1 before which a pooling can
/// stand.
std::vector<std::vector<std::int64_t>> placements(std::int64_t layers, std::int64_t count) {
  std::vector<std::vector<std::int64_t>> result;
  std::vector<std::int64_t> current(static_cast<std::size_t>(count));
  std::iota(current.begin(), current.end(), 1);
  for (;;) {
    result.push_back(current);
    std::int64_t i = count;
    while (i > 0 && current[static_cast<std::size_t>(i - 1)] == layers - 1 - (count - i)) --i;
    if (i == 0) return result;
    ++current[static_cast<std::size_t>(i - 1)];
    for (; i < count; ++i)
      current[static_cast<std::size_t>(i)] = current[static_cast<std::size_t>(i - 1)] + 1;
  }
}

/// Text of a placement: layers between the poolings, "4-3-3" for poolings before layers 4 and 7 of
/// 10, as in the paper's tables.
std::string label(const std::vector<std::int64_t>& placement, std::int64_t layers) {
  std::vector<std::string> parts;
  std::int64_t begin = 0;
  for (const auto layer : placement) {
    parts.push_back(std::to_string(layer - begin));
    begin = layer;
  }
  parts.push_back(std::to_string(layers - begin));
  return core::join(parts, "-");
}

void build(SpaceBuilder& b) {
  const std::int64_t layers =
      b.option("layers", 10, 2, 64);  // the stem and layers - 1 residual blocks
  const std::int64_t poolings = b.option("poolings", 2, 0, 8);  // of 2 x 2, none before the stem
  const std::int64_t width = b.option("width", 16, 1, 1024);    // channels of the first layers
  const std::int64_t widening = b.option("widening", 2, 1, 4);  // of the width, twice
  if (poolings >= layers)
    throw core::UsageError("poolings = " + std::to_string(poolings) + " do not fit between " +
                               std::to_string(layers) + " layers",
                           "give at most layers - 1 = " + std::to_string(layers - 1));
  double count = 1;
  for (std::int64_t i = 0; i < poolings; ++i)
    count = count * static_cast<double>(layers - 1 - i) / static_cast<double>(i + 1);
  if (count > 20000)
    throw core::UsageError(core::human_count(count) + " placements of " + std::to_string(poolings) +
                               " poolings are too many for one decision",
                           "use fewer layers or poolings (at most 20,000 placements)");

  const auto all = placements(layers, poolings);
  std::vector<std::string> labels;
  for (const auto& placement : all) labels.push_back(label(placement, layers));
  const Extent choice = b.categorical("poolings", labels);
  const auto pooled_before = [&](std::int64_t layer) {
    std::vector<std::int64_t> table;
    for (const auto& placement : all)
      table.push_back(std::find(placement.begin(), placement.end(), layer) != placement.end());
    return choice.depends_on_genes() ? Extent::table(choice.genes()[0], table) : Extent(table[0]);
  };
  // 4, 3 and 3 of 10 layers at 1, 2 and 4 times the width: by depth, whatever the resolution.
  const auto channels = [&](std::int64_t layer) {
    return width * (layer * 10 >= 4 * layers ? widening : 1) *
           (layer * 10 >= 7 * layers ? widening : 1);
  };

  const ImageShape task = image_shape(b.task());
  const Value images = b.input("image", task.image());
  Value x = b.conv("stem.conv", images, {.out = channels(0), .kernel = 3});
  x = b.relu("stem.relu", b.batch_norm("stem.bn", x));
  for (std::int64_t layer = 1; layer < layers; ++layer) {
    const std::string name = "block" + std::to_string(layer);
    x = b.when(pooled_before(layer), x, [&] { return b.max_pool(name + ".pool", x, 2, 2, 0); });
    x = b.scope(name, [&] {
      const std::int64_t out = channels(layer);
      Value y = b.relu("relu1", b.batch_norm("bn1", b.conv("conv1", x, {.out = out, .kernel = 3})));
      y = b.batch_norm("bn2", b.conv("conv2", y, {.out = out, .kernel = 3}));
      const Value shortcut =
          out == channels(layer - 1)
              ? x
              : b.batch_norm("bn0", b.conv("conv0", x, {.out = out, .kernel = 1}));
      return b.relu("relu2", b.add("add", {shortcut, y}));
    });
  }
  x = b.global_avg_pool("pool", x);
  b.entry("forward", {images}, {b.linear("classifier", x, {.out = task.classes})});
}

std::string text(const Space& space, const Genotype& genotype) {
  return genotype.empty() ? "fixed"
                          : space.genes()[0].labels[static_cast<std::size_t>(genotype[0])];
}

Genotype parse(const Space& space, const std::string& text) {
  if (space.genes().empty()) return {};
  const auto& labels = space.genes()[0].labels;
  const auto found = std::find(labels.begin(), labels.end(), std::string(core::trim(text)));
  if (found == labels.end())
    throw core::UsageError(
        "'" + text + "' is no placement of this space",
        "write the numbers of layers between the poolings, such as " + labels[labels.size() / 2]);
  return {static_cast<int>(found - labels.begin())};
}

const core::Registered kEntry{
    space_types(), "resnet-pooling",
    "residual network whose widths go by depth; the decision is where its poolings stand",
    SpaceType{.build = build, .text = text, .parse = parse}};

}  // namespace
}  // namespace mosaic::spaces
