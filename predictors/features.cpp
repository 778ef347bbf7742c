/// Features of an architecture, derived from its Graph.
#include <algorithm>
#include <map>
#include <set>

#include "mosaic/spaces/ops.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

double bytes_of(const spaces::Dims& dims, spaces::DataType type) {
  double bytes = type == spaces::DataType::int64 ? 8 : 4;
  for (const auto dim : dims) bytes *= static_cast<double>(dim);
  return bytes;
}

}  // namespace

FeatureExtractor::FeatureExtractor(const spaces::Space& space)
    : space_(space), encoding_(space.graph()), names_(encoding_.names()) {
  // `select` and `zeros` are resolved by bind(), and inputs are what the task feeds.
  static const std::set<std::string> kStructural = {"input", "select", "zeros"};
  std::set<std::string> found;
  for (const auto& node : space.graph().nodes)
    if (!kStructural.count(node.op)) found.insert(node.op);
  ops_.assign(found.begin(), found.end());

  names_.insert(names_.end(), {"params", "flops", "activation_bytes"});
  for (const auto& op : ops_)
    for (const char* what : {".nodes", ".flops", ".output_bytes"}) names_.push_back(op + what);
}

Features FeatureExtractor::operator()(const spaces::Genotype& genotype) const {
  const spaces::Graph graph = space_.bind(genotype);
  const spaces::Symbols& symbols = space_.symbols();
  const auto encoded = encoding_(genotype);
  Features features(encoded.begin(), encoded.end());
  features.push_back(spaces::count_parameters(graph));
  features.push_back(spaces::count_flops(graph, symbols));
  features.push_back(spaces::activation_bytes(graph, symbols));

  struct Cost {
    double nodes = 0;
    double flops = 0;
    double bytes = 0;
  };
  std::map<std::string, Cost> costs;
  std::vector<spaces::Dims> shapes;
  for (const auto& node : graph.nodes) {
    spaces::Dims shape;
    for (const auto& dim : node.shape) shape.push_back(dim.value(symbols));
    shapes.push_back(shape);
    if (!std::binary_search(ops_.begin(), ops_.end(), node.op)) continue;
    Cost& cost = costs[node.op];
    cost.nodes += 1;
    cost.bytes += bytes_of(shape, node.type);
    const auto& flops = spaces::ops().at(node.op).flops;
    if (!flops) continue;
    std::vector<spaces::Dims> inputs;
    for (const int input : node.inputs) inputs.push_back(shapes[static_cast<std::size_t>(input)]);
    cost.flops += flops(node, inputs, shape);
  }
  for (const auto& op : ops_) {
    const Cost cost = costs[op];
    features.insert(features.end(), {cost.nodes, cost.flops, cost.bytes});
  }
  return features;
}

}  // namespace mosaic::predictors
