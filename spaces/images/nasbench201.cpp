// NAS-Bench-201 (Dong & Yang 2020): a cell of four nodes and six edges, five ops an edge, stacked
// in three stages.
#include <algorithm>
#include <array>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {
namespace {

const std::array<std::string, 5> kOps = {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
                                         "avg_pool_3x3"};
/// Edges in the order of the cell string: from node `first` into node `second`.
constexpr std::array<std::pair<int, int>, 6> kEdges = {
    {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}};

std::string edge_name(std::pair<int, int> edge) {
  return "edge" + std::to_string(edge.first) + std::to_string(edge.second);
}

Value relu_conv_norm(SpaceBuilder& b, const std::string& name, Value x, std::int64_t kernel,
                     const Extent& channels, std::int64_t stride = 1) {
  return b.scope(name, [&] {
    return b.batch_norm("bn", b.conv("conv", b.relu("relu", x),
                                     {.out = channels, .kernel = kernel, .stride = stride}));
  });
}

/// One cell; every cell takes the same decisions, `choices` per edge.
Value cell(SpaceBuilder& b, Value x, const Extent& channels, const std::array<Extent, 6>& choices) {
  std::array<std::vector<Value>, 4> incoming;
  std::array<Value, 4> nodes{x, x, x, x};
  for (std::size_t e = 0; e < kEdges.size(); ++e) {
    const auto [from, to] = kEdges[e];
    const Value source = nodes[static_cast<std::size_t>(from)];
    const std::string name = edge_name(kEdges[e]);
    Value y = b.zeros(name + ".none", source);
    const auto option = [&](std::size_t op, const std::function<Value()>& body) {
      y = b.when(choices[e] == Extent(static_cast<std::int64_t>(op)), y, body);
    };
    option(1, [&] { return b.identity(name + ".skip_connect", source); });
    option(2, [&] { return relu_conv_norm(b, name + ".nor_conv_1x1", source, 1, channels); });
    option(3, [&] { return relu_conv_norm(b, name + ".nor_conv_3x3", source, 3, channels); });
    option(4, [&] { return b.avg_pool(name + ".avg_pool_3x3", source, 3, 1, 1); });
    auto& into = incoming[static_cast<std::size_t>(to)];
    into.push_back(y);
    if (from == to - 1)
      nodes[static_cast<std::size_t>(to)] = b.add("node" + std::to_string(to), into);
  }
  return nodes[3];
}

/// Residual block that halves the resolution and doubles the channels; its shortcut is average
/// pooling and 1 x 1.
Value reduction(SpaceBuilder& b, Value x, const Extent& channels) {
  Value y = relu_conv_norm(b, "conv_a", x, 3, channels, 2);
  y = relu_conv_norm(b, "conv_b", y, 3, channels);
  Value shortcut = b.avg_pool("shortcut.pool", x, 2, 2, 0);
  shortcut = b.conv("shortcut.conv", shortcut, {.out = channels, .kernel = 1});
  return b.add("add", {shortcut, y});
}

void build(SpaceBuilder& b) {
  const std::int64_t width = b.option("channels", 16, 1, 1024);
  const std::int64_t cells = b.option("cells", 5, 1, 32);  // of each stage

  std::array<Extent, 6> choices;
  for (std::size_t e = 0; e < kEdges.size(); ++e)
    choices[e] = b.categorical(edge_name(kEdges[e]), {kOps.begin(), kOps.end()});

  const ImageShape task = image_shape(b.task());
  const Value images = b.input("image", task.image());
  Value x = b.batch_norm("stem.bn", b.conv("stem.conv", images, {.out = width, .kernel = 3}));
  for (std::int64_t stage = 0; stage < 3; ++stage) {
    const Extent channels = width << stage;
    const std::string name = "stage" + std::to_string(stage + 1);
    if (stage > 0) x = b.scope(name + ".reduction", [&] { return reduction(b, x, channels); });
    for (std::int64_t i = 0; i < cells; ++i)
      x = b.scope(name + ".cell" + std::to_string(i),
                  [&] { return cell(b, x, channels, choices); });
  }
  x = b.global_avg_pool("pool", b.relu("last.relu", b.batch_norm("last.bn", x)));
  b.entry("forward", {images}, {b.linear("classifier", x, {.out = task.classes})});
}

/// "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
std::string text(const Space&, const Genotype& genotype) {
  std::string result;
  for (std::size_t e = 0; e < kEdges.size(); ++e) {
    const auto [from, to] = kEdges[e];
    if (from == 0) result += to == 1 ? "|" : "+|";
    result += kOps[static_cast<std::size_t>(genotype[e])] + "~" + std::to_string(from) + "|";
  }
  return result;
}

Genotype parse(const Space&, const std::string& text) {
  const auto fail = [&](const std::string& part) {
    throw core::UsageError(
        "'" + text + "' is no NAS-Bench-201 cell: cannot read '" + part + "'",
        "write |op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of " + core::join(kOps));
  };
  std::vector<std::string> parts;
  for (const auto& node : core::split(text, '+')) {
    const std::string trimmed(core::trim(node));
    if (trimmed.size() < 3 || trimmed.front() != '|' || trimmed.back() != '|') fail(node);
    for (const auto& part : core::split(trimmed.substr(1, trimmed.size() - 2), '|'))
      parts.push_back(part);
  }
  if (parts.size() != kEdges.size()) fail(text);
  Genotype genotype;
  for (std::size_t e = 0; e < kEdges.size(); ++e) {
    const auto tilde = parts[e].find('~');
    const auto op = std::find(kOps.begin(), kOps.end(), parts[e].substr(0, tilde));
    if (tilde == std::string::npos || op == kOps.end() ||
        parts[e].substr(tilde + 1) != std::to_string(kEdges[e].first))
      fail(parts[e]);
    genotype.push_back(static_cast<int>(op - kOps.begin()));
  }
  return genotype;
}

const core::Registered kEntry{
    space_types(), "nasbench201",
    "the NAS-Bench-201 cell: five ops on six edges, 15,625 cells in a three-stage skeleton",
    SpaceType{.build = build, .text = text, .parse = parse}};

}  // namespace
}  // namespace mosaic::spaces
