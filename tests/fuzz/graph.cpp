// The description of a network: read, counted and written again.
#include <nlohmann/json.hpp>

#include "mosaic/spaces/graph.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  const auto json = nlohmann::json::parse(bytes, nullptr, false);
  if (json.is_discarded()) return;
  const auto graph = spaces::graph_from_json(json);
  const auto again = spaces::graph_from_json(spaces::to_json(graph));
  expect(spaces::function_hash(again) == spaces::function_hash(graph),
         "written and read: the same");
  spaces::count_parameters(graph);
  spaces::activation_bytes(graph);
  spaces::count_flops(graph);
}
