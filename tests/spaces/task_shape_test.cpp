// Where tasks and spaces meet: named inputs, types, lengths that are symbols.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/space.hpp"

using namespace mosaic;
using namespace mosaic::spaces;

namespace {

const TaskShape kTask = {.inputs = {{"features", {{1, {"length"}}, {3, {}}}},
                                    {"tokens", {{2, {"length"}}}, DataType::int64, 50}},
                         .output = {{1, {"length"}}, {4, {}}},
                         .typical = {{"length", 7}}};

/// Reads the features alone; the width of its inner layer is a decision.
void build(SpaceBuilder& b) {
  const TaskShape& task = b.task().inputs.empty() ? kTask : b.task();
  const Value features = b.input(task.inputs.at(0)), tokens = b.input(task.inputs.at(1));
  const Value inner = b.linear("inner", features, {.out = b.choice("width", {8, 2, 5})});
  b.entry("forward", {features, tokens}, {b.linear("outer", inner, {.out = 4})});
}

const core::Registered kEntry{space_types(), "test-lengths", "a layer at every place of a sequence",
                              SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace

TEST_CASE("a space with a symbolic length has a smallest and a largest network, counted at it") {
  const Space space = Space::make("test-lengths", kTask);
  CHECK(space.task() == kTask);
  CHECK(space.symbols() == Symbols{{"length", 7}});
  CHECK(space.text(space.smallest()) == "width=2");
  CHECK(space.text(space.largest()) == "width=8");
  CHECK(count_flops(space.bind(space.largest()), space.symbols()) == 7 * 8 * (3 + 4));
}

TEST_CASE("a space that is made for no task says what it takes, at a usual length") {
  const Space space = Space::make("test-lengths");
  CHECK(space.task().inputs == kTask.inputs);
  CHECK(space.task().output == kTask.output);
  CHECK(space.symbols() == Symbols{{"length", 32}});
  CHECK(space.hash() == Space::make("test-lengths", kTask).hash());
  CHECK(Space::make("resnet-elastic").task() == image_task());
}

TEST_CASE("ports reach the graph with their names, types and ranges") {
  const Graph graph = Space::make("test-lengths", kTask).bind({0});
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [](const auto& node) { return node.name == "tokens"; });
  REQUIRE(found != graph.nodes.end());
  const GraphNode& tokens = *found;
  CHECK(tokens.type == DataType::int64);
  CHECK(tokens.attribute("range") == 50);
  CHECK(tokens.shape == std::vector<Dim>{{2, {"length"}}});
}

TEST_CASE("a space for images says what it takes where the task has something else") {
  CHECK(to_string(kTask) == "features lengthx3, tokens 2*length -> lengthx4");
  CHECK_THROWS_WITH(
      Space::make("nasbench201", kTask),
      Catch::StartsWith(
          "space 'nasbench201': it takes images [channels, height, width] and gives a "
          "logit a class, and the task has features lengthx3, tokens 2*length -> "
          "lengthx4: "));
  CHECK_THROWS_WITH(Space::make("vit", text_task(100, 3)),
                    Catch::Contains("the task has tokens length -> 3: spaces that fit: bert"));
  // bert would see the token that it is to guess.
  CHECK_THROWS_WITH(Space::make("bert", language_task(100, 8)),
                    Catch::Contains("of the next position: spaces that fit: gpt"));
  CHECK_THROWS_WITH(Space::make("gpt", language_task(100, 8, false)),
                    Catch::Contains("spaces that fit: bert"));
  auto long_texts = text_task(100, 3);
  long_texts.inputs[0].longest = 64;
  CHECK_THROWS_WITH(
      Space::make("bert", long_texts, {{"longest", "20"}}),
      Catch::Contains("option 'longest' is 20, and the task has sequences of up to 64"));
  CHECK(task_shape_from_json(to_json(long_texts)) == long_texts);
  CHECK(task_shape_from_json(to_json(language_task())) == language_task());
  CHECK_THROWS_WITH(Space::make("bert", image_task()),
                    Catch::Contains("image 3x32x32 -> 10: spaces that fit:") &&
                        Catch::Contains("vit") && !Catch::Contains("bert,"));
}
