#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "mosaic/tasks/task.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::small_task;

namespace {

spaces::Space pooling_space() {  // one decision of four options
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "5"}, {"poolings", "1"}});
}

spaces::Space elastic_space() {
  return spaces::Space::make("resnet-elastic", spaces::image_task({1, 12, 12}, 10),
                             {{"width", "8"}, {"blocks", "2"}});
}

spaces::Space cell_space() {
  return spaces::Space::make("nasbench201", spaces::image_task({1, 28, 28}, 10),
                             {{"channels", "4"}, {"cells", "1"}});
}

SharingSettings partition(const std::string& split, std::int64_t copies = 2) {
  return {.kind = "partition", .copies = copies, .hidden = 8, .split = split};
}

TrainSettings short_training() {
  TrainSettings settings;
  settings.epochs = 2;
  settings.batch_size = 64;
  settings.learning_rate = 0.05;
  settings.precision = "float32";
  return settings;
}

/// Tensors by name as they are now.
std::map<std::string, at::Tensor> copy_of(const NamedTensors& tensors) {
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.detach().clone();
  return result;
}

std::vector<spaces::Genotype> everything(const spaces::Space& space) {
  return space.enumerate().value();
}

}  // namespace

TEST_CASE("a partition with one part, and a mixture of one copy, train bit for bit as plain") {
  const auto task = small_task();
  const auto space = pooling_space();
  Supernet plain(space, {.kind = "plain", .copies = 1}, 3);
  train(*supernet_trainee(plain, short_training(), 7), *task, short_training(), {});
  const auto expected = copy_of(plain.parameters());
  for (const SharingSettings& settings :
       {partition("poolings:0,1,2,3"), partition("random", 1),
        SharingSettings{.kind = "layer-wise", .copies = 1, .hidden = 8},
        SharingSettings{.kind = "neuron-wise", .copies = 1, .hidden = 8}}) {
    INFO(settings.kind << " " << settings.split);
    Supernet net(space, settings, 3);
    train(*supernet_trainee(net, short_training(), 7), *task, short_training(), {});
    const auto found = copy_of(net.parameters());
    for (const auto& [name, tensor] : expected) {
      INFO(name);
      REQUIRE(at::equal(found.at(name), tensor));
    }
  }
}

TEST_CASE("the parts of a split are those that its text says") {
  const auto space = elastic_space();
  const auto part = [&](const Supernet& net, const std::string& arch) {
    return net.part(space.parse(arch));
  };
  const Supernet by_gene(space, partition("gene=stage1.width"), 1);
  REQUIRE(by_gene.sharing().parts() == 3);
  const Supernet lists(space, partition("stage1.width:0,2|1; stage2.depth:1|0"), 1);
  REQUIRE(lists.sharing().parts() == 4);
  for (int width = 0; width < 3; ++width)
    for (int depth = 0; depth < 2; ++depth) {
      const auto arch = "stage1.width=" + std::to_string(4 + 2 * width) +
                        ",stage2.depth=" + std::to_string(1 + depth);
      INFO(arch);
      REQUIRE(part(by_gene, arch) == width);
      REQUIRE(part(lists, arch) == (width == 1 ? 2 : 0) + (depth == 1 ? 0 : 1));
    }
}

TEST_CASE("equal networks are in the same part, however their idle genes stand") {
  const auto space = elastic_space();
  const Supernet net(space, partition("gene=stage2.1.kernel"), 1);
  auto genotype = space.parse("stage2.depth=1");
  for (std::size_t i = 0; i < space.genes().size(); ++i)
    if (space.genes()[i].name == "stage2.1.kernel") genotype[i] = 1;  // of a block it does not have
  REQUIRE(net.part(genotype) == 0);
  REQUIRE(net.part(space.parse("stage2.depth=2,stage2.1.kernel=5")) == 1);
}

TEST_CASE("random splits are near-balanced halves of halves, decided by the seed") {
  const auto space = cell_space();
  std::set<std::vector<std::int64_t>> splits;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Supernet net(space, partition("random", 4), seed);
    const Supernet again(space, partition("", 4), seed);
    REQUIRE(net.sharing().parts() == 4);
    REQUIRE(net.sharing().same_parts(again.sharing()));
    std::vector<std::int64_t> parts, counts(4, 0);
    for (const auto& genotype : everything(space)) {
      parts.push_back(net.sharing().part(genotype));
      ++counts[static_cast<std::size_t>(parts.back())];
    }
    // Halves of five options are 3 : 2 at the worst, of three 2 : 1, of two 1 : 1.
    for (const auto count : counts) {
      REQUIRE(count >= 15'625 * 2 / 5 * 1 / 3);
      REQUIRE(count <= 15'625 * 3 / 5 * 2 / 3);
    }
    splits.insert(parts);
  }
  REQUIRE(splits.size() == 6);
}

TEST_CASE("every part starts from the weights that a plain supernet starts from") {
  const auto space = pooling_space();
  const Supernet plain(space, {.kind = "plain", .copies = 1}, 5);
  const Supernet net(space, partition("gene=poolings"), 5);
  REQUIRE(net.parameters().size() == 4 * plain.parameters().size());
  REQUIRE(net.parameter_bytes() == 4 * plain.parameter_bytes());
  for (const auto& slot : space.graph().slots)
    for (std::int64_t part = 0; part < 4; ++part) {
      REQUIRE(at::equal(net.bank().copies(slot.name, part), plain.bank().copies(slot.name)));
      REQUIRE(net.bank().copies(slot.name, part).data_ptr() !=
              net.bank().copies(slot.name, (part + 1) % 4).data_ptr());
    }
}

TEST_CASE(
    "a step trains the part of its architecture, norms included, and leaves the others alone") {
  const auto task = small_task();
  const auto space = pooling_space();
  Supernet net(space, partition("poolings:0,1|2,3"), 5);
  const auto before = copy_of(net.parameters());
  auto settings = short_training();
  struct PartOne : test::Wrapped {
    using Wrapped::Wrapped;
    std::vector<spaces::Genotype> draw(std::int64_t step) override {
      return {{static_cast<int>(2 + step % 2)}};
    }
  } trainee(supernet_trainee(net, settings, 7));
  train(trainee, *task, settings, {});
  for (const auto& [name, tensor] : net.parameters()) {
    INFO(name);
    REQUIRE(at::equal(tensor, before.at(name)) == (name.rfind("bank.part0.", 0) == 0));
  }
}

TEST_CASE("each part trains as a supernet of its own would on its share of the steps") {
  const auto task = small_task();
  const auto space = pooling_space();
  auto settings = short_training();
  settings.warmup = 0;
  Supernet net(space, partition("poolings:0,1|2,3"), 5);
  Supernet alone(space, {.kind = "plain", .copies = 1}, 5);
  train(*supernet_trainee(net, settings, 7), *task, settings, {});
  // The same run with only the steps that fall in part 1: no weight takes part in the others.
  struct PartOne : test::Wrapped {
    PartOne(std::unique_ptr<Trainee> inner, const Supernet& net)
        : Wrapped(std::move(inner)), net_(net) {}
    Outputs forward(const spaces::Genotype& genotype, const Inputs& inputs,
                    const Mode& mode) override {
      if (net_.part(genotype) == 1) return Wrapped::forward(genotype, inputs, mode);
      const auto shape = [&] {
        const at::NoGradGuard guard;
        return Wrapped::forward(genotype, inputs, mode).values[0].sizes().vec();
      }();
      Outputs nothing;
      nothing.values = {at::zeros(shape).requires_grad_()};
      return nothing;
    }
    const Supernet& net_;
  } trainee(supernet_trainee(alone, settings, 7), net);
  train(trainee, *task, settings, {});
  for (const auto& slot : space.graph().slots) {
    INFO(slot.name);
    REQUIRE(at::equal(net.bank().copies(slot.name, 1), alone.bank().copies(slot.name)));
  }
}

TEST_CASE("partitions train together as each would alone, of one split and of different ones") {
  const auto task = small_task();
  const auto space = pooling_space();
  auto settings = short_training();
  settings.learning_rate = 0.02;
  settings.clip = GENERATE(0.0, 0.5);
  for (const std::string split : {"poolings:0,3|1,2", "random"}) {
    INFO(split);
    Supernet a(space, partition(split), 1), b(space, partition(split), 2);
    Supernet a_alone(space, partition(split), 1), b_alone(space, partition(split), 2);
    REQUIRE(a.sharing().same_parts(b.sharing()) == (split != "random"));
    const std::vector<Supernet*> members{&a, &b};
    train(*supernet_trainee(members, settings, 7, {0, 0}), *task, settings, {});
    train(*supernet_trainee(a_alone, settings, 7), *task, settings, {});
    train(*supernet_trainee(b_alone, settings, 7), *task, settings, {});
    for (const auto& [net, alone] : {std::pair(&a, &a_alone), std::pair(&b, &b_alone)}) {
      const auto expected = copy_of(alone->parameters());
      for (const auto& [name, tensor] : net->parameters()) {
        INFO(name);
        const at::Tensor& target = expected.at(name);
        REQUIRE((tensor - target).norm().item<double>() <
                1e-2 * std::max(0.01, target.norm().item<double>()));
      }
    }
  }
}

TEST_CASE("the children of a split inherit: every architecture computes what it did before") {
  at::NoGradGuard guard;
  const auto space = pooling_space();
  const Supernet parent(space, {.kind = "plain", .copies = 1}, 5);
  Supernet child(space, {.kind = "partition", .split_by = "gradient"}, 5);
  const auto computes_the_same = [&] {
    for (const auto& genotype : everything(space)) {
      const auto graph = space.bind(genotype);
      const at::Tensor x = random_inputs(graph, "forward", 4, 1, "cpu")[0].second;
      REQUIRE(at::equal(child.forward(graph, genotype, x, NormMode::batch, nullptr),
                        parent.forward(graph, genotype, x, NormMode::batch, nullptr)));
    }
  };
  computes_the_same();
  const auto first = child.restructure("poolings:0,2|1,3");
  computes_the_same();
  REQUIRE(first.at("bank.part1.stem.conv.weight").name == "bank.stem.conv.weight");
  const auto second = child.restructure("poolings:0|2|1,3");
  computes_the_same();
  REQUIRE(child.sharing().parts() == 3);
  REQUIRE(second.at("bank.part1.stem.conv.weight").name == "bank.part0.stem.conv.weight");
  REQUIRE(second.at("bank.part2.stem.conv.weight").name == "bank.part1.stem.conv.weight");
  REQUIRE_THROWS_AS(child.restructure("poolings:0,1|2,3"), std::logic_error);
  Supernet fixed(space, {.kind = "plain", .copies = 1}, 5);
  REQUIRE_THROWS_AS(fixed.restructure("poolings:0,1|2,3"), std::logic_error);
}

TEST_CASE("training that splits on the way goes on from a checkpoint bit for bit, split or not") {
  const auto task = small_task();
  const auto space = cell_space();
  auto settings = short_training();
  settings.epochs = 3;
  for (const std::string by : {"random", "gradient"}) {
    INFO(by);
    const SharingSettings sharing{.kind = "partition",
                                  .split_by = by,
                                  .split_repeats = 1,
                                  .split_at = {0.4, 0.7},
                                  .restart = by == "random"};
    Supernet whole(space, sharing, 3);
    const auto trainee = supernet_trainee(whole, settings, 7);
    // One rest of the architecture, 64 images, six decisions of five options, two splits.
    REQUIRE(trainee->observers()[0]->cost_of_restructuring() ==
            (by == "gradient" ? 2.0 * 64 * 30 : 0.0));
    settings.epochs = by == "gradient" ? 16 : 3;
    train(*trainee, *task, settings, {});
    REQUIRE(whole.sharing().parts() > 2);
    const auto expected = copy_of(whole.parameters());
    const std::int64_t steps = by == "gradient" ? 16 * 5 - 60 : 3 * 5;
    for (const auto last : {steps / 5, steps / 2, steps * 4 / 5}) {
      INFO("cut off at step " << last << " of " << steps);
      const auto path =
          (std::filesystem::temp_directory_path() / "mosaic_split.safetensors").string();
      std::filesystem::remove(path);
      TrainHooks hooks;
      hooks.checkpoint = path;
      hooks.identity = "split";
      settings.checkpoint_minutes = 0;
      hooks.report = [&](const TrainProgress& progress) {
        if (progress.step == last) throw std::runtime_error("as if killed");
      };
      Supernet first(space, sharing, 3), second(space, sharing, 3), loaded(space, sharing, 3);
      REQUIRE_THROWS(train(*supernet_trainee(first, settings, 7), *task, settings, hooks));
      hooks.report = nullptr;
      train(*supernet_trainee(second, settings, 7), *task, settings, hooks);
      const auto found = copy_of(second.parameters());
      REQUIRE(found.size() == expected.size());
      for (const auto& [name, tensor] : expected) REQUIRE(at::equal(found.at(name), tensor));
      load_checkpoint(path, loaded, "split");
      for (const auto& [name, tensor] : loaded.parameters())
        REQUIRE(at::equal(expected.at(name), tensor));
      std::filesystem::remove(path);
    }
  }
}

TEST_CASE("splits that cannot be are refused with the way out") {
  const auto space = elastic_space();
  const auto refuses = [&](const std::string& split, const std::string& why,
                           std::int64_t copies = 2) {
    INFO(split);
    REQUIRE_THROWS_WITH(Supernet(space, partition(split, copies), 1), Catch::Contains(why));
  };
  refuses("gene=stage1.widht", "did you mean 'stage1.width'?");
  refuses("stage9.width:0|1", "'stage9.width' is no decision of the space");
  refuses("stage1.width", "write \"random\", \"gene=NAME\", or the parts as options");
  refuses("stage1.width:0,1", "has option 2 of 'stage1.width' 0 times");
  refuses("stage1.width:0,1|1,2", "has option 1 of 'stage1.width' 2 times");
  refuses("stage1.width:0,1|3,2", "'3' is no option of 'stage1.width'");
  refuses("stage1.width:0,1|", "give options by number, 0 to 2");
  refuses("stage1.width:0|1,2;stage1.width:0,1|2", "divides 'stage1.width' twice");
  refuses("random", "3 copies are no power of two", 3);
  const auto tiny = pooling_space();
  REQUIRE_THROWS_WITH(Supernet(tiny, partition("random", 8), 1),
                      Catch::Contains("too small for a random split"));
}
