#include "training/growth.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "random_growth.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::small_task;

namespace {

spaces::Space pooling_space() {  // 6 placements
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "5"}, {"poolings", "2"}});
}

SharingSettings grown(GrowthSettings growth = {}) {
  return {.kind = "grown", .split_at = {0.3, 0.6}, .growth = std::move(growth)};
}

spaces::Space small_space() {  // 3 placements
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "2"}, {"layers", "4"}, {"poolings", "1"}});
}

constexpr std::int64_t kEpochs = 14;
constexpr std::int64_t kSteps = kEpochs * 20 - 2 * 32 * 3;

/// Scoring takes 32 batches of each of three networks at a turn: long enough for two turns.
TrainSettings training() {
  TrainSettings settings;
  settings.epochs = kEpochs;
  settings.batch_size = 16;
  settings.learning_rate = 0.05;
  settings.precision = "float32";
  return settings;
}

std::vector<spaces::Genotype> everything(const spaces::Space& space) {
  return space.enumerate().value();
}

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / (b.norm() + 1e-12)).item<double>();
}

double weights_of(const Supernet& net) {
  double entries = 0;
  for (const auto& [name, tensor] : net.parameters())
    entries += static_cast<double>(tensor.numel());
  return entries;
}

}  // namespace

TEST_CASE("a unit of growth is a layer with the normalisation behind it") {
  const auto space = pooling_space();
  const auto& graph = space.graph();
  const auto units = growth_units(graph);
  REQUIRE(units.size() == 12);  // stem, four blocks of two, two projections, classifier
  double entries = 0;
  std::set<int> slots;
  for (const auto& unit : units) {
    entries += static_cast<double>(unit.entries);
    for (const int slot : unit.slots) REQUIRE(slots.insert(slot).second);
  }
  REQUIRE(slots.size() == graph.slots.size());
  REQUIRE(entries == weights_of(Supernet(space, {.kind = "plain", .copies = 1}, 1)));
  REQUIRE(units[1].name == "block1.conv1");
  REQUIRE(units[1].slots.size() == 3);
}

TEST_CASE("trees send architectures where their answers say, and read their own text") {
  const auto space = pooling_space();
  GrowthTrees trees(space.graph(), "");
  REQUIRE(trees.text().empty());
  const auto early = trees.respond(space, space.parse("1-1-3"));  // pooled before layers 1 and 2
  const auto late = trees.respond(space, space.parse("3-1-1"));   // before layers 3 and 4
  const int unit = 6;
  REQUIRE(trees.units()[unit].name == "block3.conv1");
  REQUIRE(early.sizes[unit] == 7);
  REQUIRE(late.sizes[unit] == 14);
  const Question narrow{-1, {}, 14}, first{0, {0, 1}, 0};
  trees.add({unit, 0, narrow});
  trees.add({unit, 0, first});
  trees.add({0, 0, first});
  REQUIRE(trees.leaves(unit) == 3);
  REQUIRE(trees.leaves() == 12 + 3);
  REQUIRE(trees.leaf(unit, early) == (answer(first, early, unit) ? 0 : 2));
  REQUIRE(trees.leaf(unit, late) == 1);
  const auto masses = trees.masses(unit, late, 0.9);
  REQUIRE(masses[1] == Approx(0.9));
  REQUIRE(masses[0] + masses[2] == Approx(0.1));
  const GrowthTrees again(space.graph(), trees.text());
  REQUIRE((again.splits() == trees.splits()));
  const GrowthTrees parent(space.graph(),
                           nlohmann::json::array({nlohmann::json::parse(trees.text())[0]}).dump());
  REQUIRE(trees.ancestors(unit, parent) == std::vector<std::int64_t>{0, 1, 0});
  REQUIRE_THROWS_AS(parent.ancestors(unit, trees), std::logic_error);
  for (const auto& [text, why] :
       {std::pair(std::string("oops"), "no JSON array"),
        std::pair(std::string(R"([{"unit":"stem","leaf":0,"input_below":8}])"),
                  "'stem' is no layer"),
        std::pair(std::string(R"([{"unit":"stem.conv","leaf":1,"input_below":8}])"), "no leaf 1"),
        std::pair(std::string(R"([{"unit":"stem.conv","leaf":0,"gene":"poolings","options":[9]}])"),
                  "numbers below 6"),
        std::pair(std::string(R"([{"unit":"stem.conv","leaf":1e80,"input_below":8}])"),
                  "holds the number 1e+80"),
        std::pair(std::string(R"([{"unit":"stem.conv"}])"), "leaf")})
    REQUIRE_THROWS_WITH(GrowthTrees(space.graph(), text), Catch::Contains(why));
}

TEST_CASE("questions are of ordered thresholds, of divisions up to five options, and of widths") {
  const auto elastic = spaces::Space::make("resnet-elastic", spaces::image_task({1, 12, 12}, 10),
                                           {{"width", "8"}, {"blocks", "2"}});
  GrowthTrees trees(elastic.graph(), "");
  std::vector<Respondent> all;
  core::Stream stream(1, "test");
  for (int i = 0; i < 200; ++i) all.push_back(trees.respond(elastic, elastic.random(stream)));
  for (const auto& question : questions(elastic.graph(), 0, all)) {
    std::int64_t yes = 0;
    for (const auto& respondent : all) yes += answer(question, respondent, 0);
    REQUIRE(yes >= 20);
    REQUIRE(yes <= 180);
    REQUIRE_FALSE(describe(question, elastic.graph()).empty());
  }
  const auto space = pooling_space();  // one decision of six unordered options: widths alone
  GrowthTrees pooled(space.graph(), "");
  std::vector<Respondent> placements;
  for (const auto& genotype : everything(space))
    placements.push_back(pooled.respond(space, genotype));
  REQUIRE(questions(space.graph(), 0, placements).empty());  // the stem sees all images whole
  for (const auto& question : questions(space.graph(), 5, placements))
    REQUIRE((question == Question{-1, {}, 14} || question == Question{-1, {}, 28}));
  REQUIRE(questions(space.graph(), 5, placements).size() == 2);
}

TEST_CASE("scores of questions are what the definition says") {
  constexpr std::int64_t kB = 3, kA = 5, kEntries = 7;
  const at::Tensor first = at::randn({kB, kA, kEntries}, at::kDouble);
  const at::Tensor second = at::randn({kB, kA, kEntries}, at::kDouble);
  const at::Tensor products =
      at::matmul(first.reshape({kB * kA, -1}), second.reshape({kB * kA, -1}).t())
          .view({kB, kA, kB, kA});
  const std::vector<bool> there{true, true, false, true, true}, yes{true, false, true, false, true};
  const auto delta = [&](const at::Tensor& half) {  // of mean gradients
    return (half[0] + half[4]) / 2 - (half[1] + half[3]) / 2;
  };
  const auto inner = [&](const at::Tensor& a, const at::Tensor& b) {
    return at::dot(delta(a), delta(b)).item<double>();
  };
  const double share = 0.8 * 0.25;  // P w_A w_B
  const auto plain = score_questions(products, there, {yes, yes}, false);
  REQUIRE(plain[1].gain == plain[0].gain);
  REQUIRE(plain[0].gain == Approx(share * inner(first.mean(0), second.mean(0))));
  std::vector<double> without;
  for (std::int64_t i = 0; i < kB; ++i) {
    const auto rest = at::tensor(std::vector<std::int64_t>{(i + 1) % 3, (i + 2) % 3});
    without.push_back(
        inner(first.index_select(0, rest).mean(0), second.index_select(0, rest).mean(0)));
  }
  const double mean = (without[0] + without[1] + without[2]) / 3;
  double variance = 0;
  for (const double value : without) variance += (value - mean) * (value - mean) * 2 / 3;
  REQUIRE(plain[0].error == Approx(share * std::sqrt(variance)));
  // A sample of architectures: what means of two differ by chance.
  const at::Tensor a = first.mean(0), b = second.mean(0);
  const auto half_variance = [&](std::int64_t i, std::int64_t j) {
    return at::dot(a[i] - a[j], b[i] - b[j]).item<double>() / 2 / 2;  // variance / 2 networks
  };
  REQUIRE(score_questions(products, there, {yes}, true)[0].gain ==
          Approx(plain[0].gain - share * (half_variance(0, 4) + half_variance(1, 3))));
}

TEST_CASE("growing changes no output, and copies weights exactly") {
  at::NoGradGuard guard;
  const auto space = pooling_space();
  for (const bool hard : {false, true}) {
    Supernet net(space, grown({.hard = hard}), 5);
    const Supernet plain(space, {.kind = "plain", .copies = 1}, 5);
    std::string text;
    for (const std::int64_t count : {0, 5, 12}) {
      INFO(count << " splits");
      GrowthTrees trees(space.graph(), supernet::test::random_growth(space, count, 1));
      const auto heritage = net.restructure(trees.text());
      REQUIRE(heritage.size() == net.parameters().size());
      for (const auto& genotype : everything(space)) {
        const auto graph = space.bind(genotype);
        const at::Tensor x = random_inputs(graph, "forward", 4, 1, "cpu")[0].second;
        REQUIRE(relative_difference(net.forward(graph, genotype, x, NormMode::batch, nullptr),
                                    plain.forward(graph, genotype, x, NormMode::batch, nullptr)) <
                1e-5);
      }
      for (const auto& slot : space.graph().slots) {
        const auto& copies = net.bank().copies(slot.name);
        for (std::int64_t i = 0; i < copies.size(0); ++i)
          REQUIRE(at::equal(copies[i], plain.bank().copies(slot.name)[0]));
      }
    }
  }
}

TEST_CASE("before it grows, a grown supernet trains bit for bit as plain") {
  const auto task = small_task();
  const auto space = small_space();
  auto settings = training();
  settings.epochs = 2;
  Supernet plain(space, {.kind = "plain", .copies = 1}, 3), net(space, {.kind = "grown"}, 3);
  train(*supernet_trainee(plain, settings, 7), *task, settings, {});
  train(*supernet_trainee(net, settings, 7), *task, settings, {});
  for (const auto& [name, tensor] : net.bank().tensors())
    REQUIRE(at::equal(tensor, plain.bank().copies(name)));
}

TEST_CASE("training grows within its budget, and goes on from checkpoints bit for bit") {
  const auto task = small_task();
  const auto space = small_space();
  const Supernet plain(space, {.kind = "plain", .copies = 1}, 3);
  for (const GrowthSettings& growth :
       {GrowthSettings{}, GrowthSettings{.slots = "random", .questions = "random"},
        GrowthSettings{.slots = "earliest", .score = "cosine", .hard = true}}) {
    INFO(growth.slots << " " << growth.score);
    auto settings = training();
    const bool scored = growth.questions == "scored";
    if (!scored) settings.epochs = 2;
    Supernet whole(space, grown(growth), 3);
    const auto trainee = supernet_trainee(whole, settings, 7);
    REQUIRE(trainee->observers()[0]->cost_of_restructuring() == (scored ? 2.0 * 32 * 16 * 3 : 0.0));
    train(*trainee, *task, settings, {});
    REQUIRE(weights_of(whole) > 1.1 * weights_of(plain));
    REQUIRE(weights_of(whole) <= 1.5 * weights_of(plain));
    const auto steps = scored ? kSteps : settings.epochs * 20;
    if (growth.hard) continue;
    for (const auto last : {steps * 2 / 10, steps / 2, steps * 8 / 10}) {
      INFO("cut off at step " << last << " of " << steps);
      const auto path =
          (std::filesystem::temp_directory_path() / "mosaic_growth.safetensors").string();
      std::filesystem::remove(path);
      TrainHooks hooks;
      hooks.checkpoint = path;
      hooks.identity = "growth";
      settings.checkpoint_minutes = 0;
      hooks.report = [&](const TrainProgress& progress) {
        if (progress.step == last) throw std::runtime_error("as if killed");
      };
      Supernet first(space, grown(growth), 3), second(space, grown(growth), 3),
          loaded(space, grown(growth), 3);
      REQUIRE_THROWS(train(*supernet_trainee(first, settings, 7), *task, settings, hooks));
      hooks.report = nullptr;
      train(*supernet_trainee(second, settings, 7), *task, settings, hooks);
      load_checkpoint(path, loaded, "growth");
      const auto expected = whole.parameters(), found = second.parameters(),
                 read = loaded.parameters();
      REQUIRE(found.size() == expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(at::equal(found[i].second, expected[i].second));
        REQUIRE(at::equal(read[i].second, expected[i].second));
      }
      std::filesystem::remove(path);
    }
  }
}

TEST_CASE("growth finds the layer whose architectures disagree, and by which decision") {
  const auto task = small_task();
  // Of splitter_test.cpp: `mix` disagrees between options 0, 2 and 1, 3; `same` does not matter.
  const auto space = spaces::Space::make("disagreement", spaces::image_task({1, 28, 28}, 10));
  Supernet net(space, {.kind = "grown", .split_at = {0.5}, .growth = {.budget = 2}}, 3);
  auto settings = training();
  settings.epochs = 70;
  settings.batch_size = 64;
  train(*supernet_trainee(net, settings, 7), *task, settings, {});
  const GrowthTrees trees(space.graph(), net.sharing_settings().split);
  bool middle = false;
  for (const auto& split : trees.splits()) {
    INFO(describe(split.question, space.graph()));
    REQUIRE((split.question == Question{0, {1, 3}, 0}));
    middle = middle || trees.units()[static_cast<std::size_t>(split.unit)].name == "middle";
  }
  REQUIRE(middle);
}

TEST_CASE("supernets that grow differently train together as each would alone") {
  const auto task = small_task();
  const auto space = small_space();
  const auto settings_of = [](bool random) {
    auto settings = training();
    settings.epochs = random ? 2 : kEpochs;
    if (random) settings.learning_rate /= 2;  // compared below: rounding grows with the rate
    settings.momentum = 0;
    return settings;
  };
  for (const bool random : {true, false}) {
    const GrowthSettings growth =
        random ? GrowthSettings{.slots = "random", .questions = "random"} : GrowthSettings{};
    auto settings = settings_of(random);
    Supernet a(space, grown(growth), 1), b(space, grown(growth), 2), alone(space, grown(growth), 2);
    const std::vector<Supernet*> members{&a, &b};
    const auto path =
        (std::filesystem::temp_directory_path() / "mosaic_joint_growth.safetensors").string();
    std::filesystem::remove(path);
    TrainHooks hooks;
    hooks.checkpoint = path;
    hooks.identity = "joint";
    train(*supernet_trainee(members, settings, 7, {0, 0}), *task, settings, hooks);
    REQUIRE(training_complete(path));
    REQUIRE_FALSE(a.sharing_settings().split.empty());
    REQUIRE_FALSE(b.sharing_settings().split.empty());
    if (random) {
      REQUIRE(a.sharing_settings().split != b.sharing_settings().split);
      train(*supernet_trainee(alone, settings, 7), *task, settings, {});
      REQUIRE(alone.sharing_settings().split == b.sharing_settings().split);
      const auto expected = alone.parameters(), found = b.parameters();
      for (std::size_t i = 0; i < found.size(); ++i) {
        INFO(found[i].first);
        const at::Tensor gap = found[i].second - expected[i].second;
        REQUIRE(gap.norm().item<double>() <
                2e-2 * std::max(0.1, expected[i].second.norm().item<double>()));
      }
    }
    // A finished training is read back, grown as it was.
    Supernet c(space, grown(growth), 1), d(space, grown(growth), 2);
    const std::vector<Supernet*> again{&c, &d};
    train(*supernet_trainee(again, settings, 7, {0, 0}), *task, settings, hooks);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto expected = members[i]->parameters(), found = again[i]->parameters();
      REQUIRE(found.size() == expected.size());
      for (std::size_t j = 0; j < found.size(); ++j)
        REQUIRE(at::equal(found[j].second, expected[j].second));
    }
    std::filesystem::remove(path);
  }
}
