#include <algorithm>

#include "mosaic/spaces/space.hpp"

namespace mosaic::spaces {

Encoding::Encoding(const SuperGraph& graph) {
  const auto add = [this](const std::string& name, const Extent& value, const Extent& condition) {
    if (!value.depends_on_genes()) return;
    // Layers that always share a quantity (the width of a stage) contribute it once.
    for (const auto& known : features_)
      if (identical(known.value, value) && identical(known.condition, condition)) return;
    features_.push_back(
        {value, condition, static_cast<double>(value.min()), static_cast<double>(value.max())});
    names_.push_back(name);
  };
  for (const auto& node : graph.nodes) {
    if (node.op == "select" || node.op == "zeros") continue;
    add(node.name + ".exists", node.condition, Extent(1));
    for (const auto& [key, extent] : node.attributes)
      add(node.name + "." + key, extent, node.condition);
    for (std::size_t axis = 0; axis < node.shape.size(); ++axis)
      add(node.name + ".shape" + std::to_string(axis), node.shape[axis], node.condition);
    for (const auto& weight : node.weights)
      for (std::size_t axis = 0; axis < weight.extents.size(); ++axis)
        add(node.name + "." + weight.role + std::to_string(axis), weight.extents[axis],
            node.condition);
  }
}

std::vector<float> Encoding::operator()(const Genotype& genotype) const {
  std::vector<float> result;
  result.reserve(features_.size());
  for (const auto& feature : features_) {
    const bool exists = feature.condition.at(genotype) != 0;
    const double scaled = (static_cast<double>(feature.value.at(genotype)) - feature.low) /
                          (feature.high - feature.low);
    result.push_back(exists ? static_cast<float>(scaled) : 0.0F);
  }
  return result;
}

}  // namespace mosaic::spaces
