// Mixtures that mix some slots only.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "stripes.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using Catch::Contains;

namespace {

spaces::Space language_space() {
  return spaces::Space::make("gpt", spaces::language_task(50, 6),
                             {{"layers", "3"}, {"activation", "swiglu"}});
}

spaces::Space image_space() {
  return spaces::Space::make("vit", spaces::image_task({1, 12, 12}, 4), {{"layers", "4"}});
}

SharingSettings routing(const std::string& kind, const std::string& routed) {
  return {.kind = kind, .copies = 2, .hidden = 8, .routed = routed};
}

/// Names of the slots of which there are two copies.
std::set<std::string> mixed(const spaces::Space& space, const SharingSettings& settings) {
  const Supernet net(space, settings, 1);
  std::set<std::string> result;
  for (const auto& [name, copies] : net.bank().tensors())
    if (copies.size(0) == 2) result.insert(name);
  return result;
}

SharingSettings read(const std::string& keys) {
  auto config = core::Config::from_text("[supernet]\n" + keys, "job.toml");
  return SharingSettings::read(config.root().section("supernet"));
}

std::string identity(const SharingSettings& settings) {
  core::Hasher hasher;
  settings.add_first(hasher);
  settings.add_changed(hasher);
  return hasher.hex();
}

}  // namespace

TEST_CASE("a mixture of feed-forwards mixes their linear maps, and shares all other slots") {
  const auto space = language_space();
  std::set<std::string> expected;
  for (const auto* layer : {"layer0", "layer1", "layer2"})
    for (const auto* node : {"in", "gate", "out"})
      for (const auto* role : {"weight", "bias"})
        expected.insert(std::string(layer) + ".ffn." + node + "." + role);
  for (const std::string kind : {"layer-wise", "neuron-wise"}) {
    CAPTURE(kind);
    CHECK(mixed(space, routing(kind, "ffn")) == expected);
    // A router for each layer, or for each linear map.
    const Supernet net(space, routing(kind, "ffn"), 1);
    CHECK(net.sharing().parameters()[0].second.size(0) == (kind == "layer-wise" ? 3 : 9));
  }
  CHECK(mixed(image_space(), routing("layer-wise", "ffn")).count("layer2.mlp.out.weight") == 1);
  CHECK(mixed(image_space(), routing("layer-wise", "ffn")).size() == 16);
}

TEST_CASE("slots to mix are named by slot, node or group, with wildcards") {
  const auto space = language_space();
  const auto of = [&](const std::string& routed) {
    return mixed(space, routing("neuron-wise", routed));
  };
  CHECK(of("layer1.ffn.in.weight") == std::set<std::string>{"layer1.ffn.in.weight"});
  CHECK(of("layer*.ffn.gate") == of("layer*.ffn.gate.*"));
  CHECK(of("layer*.ffn.gate").size() == 6);
  CHECK(of("*attention.q, layer0.ffn.*").size() == 3 * 2 + 6);
  CHECK(of("embed*").size() == 1);
  // Also slots that are plainly shared where nobody names them.
  const auto all = of("all");
  CHECK(all.count("layer0.attention.q.weight") == 1);
  REQUIRE(of("positions").size() == 1);
  CHECK(all.count("positions.weight") == 0);
  CHECK(of("*").size() == space.graph().slots.size());
  for (const auto& slot : space.graph().slots)
    if (slot.group == "layer2") CHECK(of("layer2").count(slot.name) == 1);

  CHECK_THROWS_WITH(of("layer*.ffn.*, layer9*"), Contains("'layer9*' fits no slot of the space") &&
                                                     Contains("there are: ") &&
                                                     Contains("layer0.ffn.in"));
  CHECK_THROWS_WITH(of("fnn"), Contains("did you mean 'ffn'?"));
  const auto cells = spaces::Space::make("resnet-elastic", {}, {});
  CHECK_THROWS_WITH(routed_slots(cells.graph(), "ffn"),
                    Contains("the space has no feed-forwards") && Contains("stem") &&
                        !Contains("did you mean 'ffn'"));
}

TEST_CASE("what is mixed is read from the job file, and is in the identity where it is not all") {
  CHECK(read("").routed == "all");
  CHECK(read("routed = \"ffn\"\n").routed == "ffn");
  CHECK(read("routed = [\"layer*\", \"head\"]\n").routed == "layer*, head");
  CHECK(identity(read("")) == identity(read("routed = \"all\"\n")));
  CHECK(identity(read("")) != identity(read("routed = \"ffn\"\n")));
  CHECK_THROWS_WITH(read("sharing = \"plain\"\nrouted = \"ffn\"\n"),
                    Contains("job.toml:3: [supernet] routed") && Contains("have this key"));
  CHECK_THROWS_WITH(read("routed = \"\"\n"), Contains("no slot is named"));
  CHECK_THROWS_WITH(read("routed = 3\n"), Contains("routed"));
}

TEST_CASE("a mixture of feed-forwards trains, side by side too, and is read back and extracted") {
  const Stripes task;
  const auto space = image_space();
  const auto kind = GENERATE(as<std::string>(), "layer-wise", "neuron-wise");
  CAPTURE(kind);
  const auto path = (std::filesystem::temp_directory_path() / "mosaic_routed.safetensors").string();
  std::filesystem::remove(path);
  TrainSettings settings;
  settings.epochs = 1;
  settings.batch_size = 32;
  settings.learning_rate = 0.02;
  TrainHooks hooks;
  hooks.checkpoint = path;
  hooks.identity = "routed";
  Supernet net(space, routing(kind, "ffn"), 1);
  NamedTensors before;
  for (const auto& [name, tensor] : net.parameters()) before.emplace_back(name, tensor.clone());
  train(*supernet_trainee(net, settings, 1), task, settings, hooks);
  const auto after = net.parameters();
  for (std::size_t i = 0; i < after.size(); ++i) {
    CAPTURE(after[i].first);
    CHECK_FALSE(at::equal(after[i].second, before[i].second));
  }

  Supernet again(space, routing(kind, "ffn"), 1), other(space, routing(kind, "ffn"), 2);
  load_checkpoint(path, again, "routed");
  const auto genotype = space.largest();
  const auto inputs = task.batch({.split = tasks::Split::validation, .count = 8}).inputs;
  const auto expected =
      net.forward(space.bind(genotype), genotype, inputs, NormMode::batch, nullptr);
  const auto found = again.extract(genotype, {}).forward(inputs);
  CHECK(at::allclose(found, expected, 1e-4, 1e-4));
  std::filesystem::remove(path);

  // The first of two side by side is what it is alone.
  Supernet first(space, routing(kind, "ffn"), 1);
  const std::vector<Supernet*> members{&first, &other};
  train(*supernet_trainee(members, settings, 1, {0, 1}), task, settings, {});
  for (std::size_t i = 0; i < after.size(); ++i)
    CHECK(at::allclose(first.parameters()[i].second, after[i].second, 1e-3, 2e-4));
}
