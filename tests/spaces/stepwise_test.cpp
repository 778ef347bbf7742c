#include "mosaic/spaces/stepwise.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/space.hpp"

using namespace mosaic;
using namespace mosaic::spaces;
using Catch::Contains;

TEST_CASE("HAT's published WMT network has the published parameters and FLOPs") {
  // HAT_wmt14ende_titanxp@208.1ms_bleu@28.5 of the authors' repository; its README counts 49.38 M
  // parameters without the embedding and 3.09 GFLOPs of 30 tokens without the last layer, where a
  // multiply-accumulate counts twice.
  constexpr std::int64_t kVocabulary = 32'768, kLength = 30, kWidth = 512;
  const auto space = Space::make("hat-translation", translation_task(kVocabulary, kLength, kLength),
                                 {{"size", "wmt"}});
  const std::vector<int> encoder_heads{8, 4, 8, 8, 8, 4}, self_heads{8, 8, 8, 4, 8},
      cross_heads{4, 8, 8, 8, 8}, inner{2048, 2048, 3072, 3072, 3072}, attended{1, 2, 2, 2, 1};
  std::string text = "encoder.width=512,decoder.width=512,decoder.depth=5";
  const auto add = [&](const std::string& gene, int option) {
    text += "," + gene + "=" + std::to_string(option);
  };
  for (std::size_t i = 0; i < 6; ++i) {
    const auto layer = "encoder.layer" + std::to_string(i);
    add(layer + ".attention.heads", encoder_heads[i]);
    add(layer + ".inner", 3072);
  }
  for (std::size_t i = 0; i < 5; ++i) {
    const auto layer = "decoder.layer" + std::to_string(i);
    add(layer + ".attention.heads", self_heads[i]);
    add(layer + ".cross.heads", cross_heads[i]);
    add(layer + ".attended_layers", attended[i]);
    add(layer + ".inner", inner[i]);
  }
  const Graph graph = space.bind(space.parse(text));
  const double table = static_cast<double>(kVocabulary) * kWidth;
  CHECK((count_parameters(graph) - table) / 1e6 == Approx(49.38).margin(0.005));
  CHECK(2 * (count_flops(graph, space.symbols()) - table * kLength) / 1e9 ==
        Approx(3.09).margin(0.005));
}

TEST_CASE("a translation network is divided into an encoder and steps") {
  const auto space = Space::make("hat-translation", translation_task(50, 6, 5),
                                 {{"encoder_layers", "2"}, {"decoder_layers", "2"}});
  const Graph graph = space.bind(space.largest());
  const auto parts = stepwise(graph, "target");
  CHECK(parts.encoder.entries.at(0).name == "encode");
  CHECK(parts.encoder.entries.at(0).inputs.size() == 1);
  const auto& step = parts.step.entries.at(0);
  // Keys and values of both layers' own attention; of the encoder, keys, values and mask of each.
  CHECK(step.states.size() == 4);
  CHECK(parts.handed.size() == 6);
  CHECK(step.inputs.size() == 2 + parts.handed.size());
  for (const auto& name : parts.handed)
    CHECK(std::any_of(parts.encoder.nodes.begin(), parts.encoder.nodes.end(),
                      [&](const auto& node) { return node.name == name; }));
  // Every weight is read in one of the two.
  const auto weights = [](const Graph& of) {
    std::set<std::string> slots;
    for (const auto& node : of.nodes)
      for (const auto& weight : node.weights) slots.insert(weight.slot);
    return slots;
  };
  auto both = weights(parts.encoder);
  both.merge(weights(parts.step));
  CHECK(both == weights(graph));
}

TEST_CASE("networks that see later positions cannot be divided, and say why") {
  const auto bert = Space::make("bert", text_task(50, 3, 6), {});
  CHECK_THROWS_WITH(stepwise(bert.bind(bert.largest()), "tokens"),
                    Contains("mixes what is written") || Contains("sees"));
  CHECK_THROWS_WITH(stepwise(bert.bind(bert.largest()), "target"), Contains("no input 'target'"));
}

TEST_CASE("a language model writes without an encoder") {
  const auto space = Space::make("gpt", language_task(50, 6), {{"layers", "2"}});
  const auto parts = stepwise(space.bind(space.largest()), "tokens");
  CHECK(parts.handed.empty());
  CHECK(parts.encoder.entries.empty());
  CHECK(parts.step.entries.at(0).states.size() == 4);
}
