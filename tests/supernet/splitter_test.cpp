#include "mosaic/supernet/training/splitter.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::small_task;

namespace {

/// Two decisions: `mix`, whose options 0 and 2 are one function and 1 and 3 another, and `same`,
/// whose options are one function.
void build(spaces::SpaceBuilder& b) {
  const auto task = spaces::image_shape(b.task());
  const spaces::Value images = b.input("image", task.image());
  spaces::Value x = b.conv("stem", images, {.out = 6, .kernel = 3, .stride = 2});
  x = b.relu("stem.relu", b.batch_norm("stem.bn", x));
  x = b.select("mix", {{"left", [&] { return b.identity("left", x); }},
                       {"pool", [&] { return b.max_pool("pool", x, 5, 1, 2); }},
                       {"right", [&] { return b.identity("right", x); }},
                       {"pool_again", [&] { return b.max_pool("pool_again", x, 5, 1, 2); }}});
  x = b.relu("middle.relu", b.batch_norm("middle.bn", b.conv("middle", x, {.out = 6})));
  x = b.select("same", {{"one", [&] { return b.identity("one", x); }},
                        {"two", [&] { return b.identity("two", x); }}});
  x = b.global_avg_pool("mean", x);
  b.entry("forward", {images}, {b.linear("classifier", x, {.out = task.classes})});
}

const core::Registered kSpace{spaces::space_types(), "disagreement",
                              "one decision disagrees, another does not",
                              spaces::SpaceType{.build = build, .text = {}, .parse = {}}};

Split choose_split(Supernet& net, const tasks::Task& task, const SplitSettings& settings) {
  Supernet* const members[] = {&net};
  const auto trainee = supernet_trainee(net, {.precision = "float32"}, 1);
  return choose_splits(members, *trainee, task, {.precision = "float32"}, settings)[0];
}

spaces::Space disagreement() {
  return spaces::Space::make("disagreement", spaces::image_task({1, 28, 28}, 10));
}

/// Gradient of one architecture's loss in the named parameters, by the ordinary backward pass.
std::vector<float> gradient(const Supernet& net, const spaces::Genotype& genotype,
                            const tasks::Batch& batch, const std::set<std::string>& names) {
  for (const auto& [name, tensor] : net.parameters()) at::Tensor(tensor).mutable_grad().reset();
  const auto logits =
      net.forward(net.space().bind(genotype), genotype, batch.inputs, NormMode::batch, nullptr);
  at::cross_entropy_loss(logits, tasks::tensor(batch.targets, "class")).backward();
  std::vector<float> result;
  std::size_t found = 0;
  for (const auto& [name, tensor] : net.parameters()) {
    if (!names.contains(name)) continue;
    ++found;
    const at::Tensor flat = tensor.grad().contiguous().view({-1});
    result.insert(result.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  }
  REQUIRE(found == names.size());
  return result;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  return 1 - dot / std::sqrt(aa * bb);
}

std::vector<double> random_distances(std::size_t options, core::Stream& stream) {
  std::vector<double> result(options * options, 0.0);
  for (std::size_t i = 0; i < options; ++i)
    for (std::size_t j = i + 1; j < options; ++j)
      result[i * options + j] = result[j * options + i] = stream.uniform();
  return result;
}

/// Sum of distances inside both halves.
double within(const std::vector<double>& distances, std::size_t options,
              const std::vector<bool>& in_left) {
  double sum = 0;
  for (std::size_t i = 0; i < options; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (in_left[i] == in_left[j]) sum += distances[i * options + j];
  return sum;
}

std::vector<bool> mark(const std::vector<int>& left, std::size_t options) {
  std::vector<bool> result(options, false);
  for (const int option : left) result[static_cast<std::size_t>(option)] = true;
  return result;
}

}  // namespace

TEST_CASE("halves of options have the least distance within, against all ways to halve them") {
  core::Stream stream(1, "distances");
  for (std::size_t options = 2; options <= 9; ++options) {
    const auto distances = random_distances(options, stream);
    const auto left = best_halves(distances, options, 1);
    INFO(options << " options");
    REQUIRE(left.front() == 0);
    REQUIRE(std::is_sorted(left.begin(), left.end()));
    REQUIRE(std::abs(2 * static_cast<int>(left.size()) - static_cast<int>(options)) <= 1);
    // Permutations of marks, not masks.
    double least = 1e9;
    for (const std::size_t size : {options / 2, options - options / 2}) {
      std::vector<bool> in_left(options, false);
      std::fill(in_left.end() - static_cast<std::ptrdiff_t>(size), in_left.end(), true);
      do {
        least = std::min(least, within(distances, options, in_left));
      } while (std::next_permutation(in_left.begin(), in_left.end()));
    }
    REQUIRE(within(distances, options, mark(left, options)) == Approx(least));
  }
}

TEST_CASE("of many options, halves are found by exchanges") {
  constexpr std::size_t kOptions = 36;
  core::Stream stream(2, "distances");
  auto distances = random_distances(kOptions, stream);
  for (std::size_t i = 0; i < kOptions; ++i)  // options of one remainder agree
    for (std::size_t j = 0; j < kOptions; ++j)
      if (i != j && (i % 2) == (j % 2)) distances[i * kOptions + j] *= 0.5;
  const auto left = best_halves(distances, kOptions, 1);
  REQUIRE(left.size() == 18);
  for (const int option : left) REQUIRE(option % 2 == 0);
  REQUIRE(best_halves(distances, kOptions, 1) == left);
}

TEST_CASE("gradient matching splits the decision whose options disagree, where they disagree") {
  const auto task = small_task();
  const auto space = disagreement();
  Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  const SplitSettings settings{.repeats = 3, .batches = 2, .batch_size = 32};
  const auto split = choose_split(net, *task, settings);
  REQUIRE(split.text == "mix:0,2|1,3");
  REQUIRE(split.genes.size() == 2);
  REQUIRE(cost_of_split(space, settings) == 3 * 2 * 32 * (4 + 2));
  REQUIRE(split.genes[1].gene == "same");
  REQUIRE(split.genes[1].cut == Approx(0).margin(1e-6));

  // The same distances by hand: in the middle layer and its norm alone (stem, its norm and
  // classifier are left out), for the six batches. `same` does not change the network.
  const std::set<std::string> compared{"bank.middle.weight", "bank.middle.bn.weight",
                                       "bank.middle.bn.bias"};
  std::vector<std::vector<double>> repeats(3, std::vector<double>(16, 0.0));
  for (int number = 0; number < 6; ++number) {
    const auto batch = task->batch({.begin = number * 32, .count = 32, .epoch = 0});
    std::vector<std::vector<float>> gradients;
    for (int option = 0; option < 4; ++option)
      gradients.push_back(gradient(net, {option, 0}, batch, compared));
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j)
        repeats[static_cast<std::size_t>(number / 2)][i * 4 + j] +=
            distance(gradients[i], gradients[j]) / 2;
  }
  const auto& found = split.genes[0];
  double cut = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const double mean = (repeats[0][i] + repeats[1][i] + repeats[2][i]) / 3;
    INFO(i);
    REQUIRE(found.mean[i] == Approx(mean).margin(1e-5));
    if (i == 1 || i == 3 || i == 6 || i == 11) cut += mean / 4;
  }
  REQUIRE(found.mean[1] > 0.01);
  REQUIRE(found.mean[2] == Approx(0).margin(1e-6));
  REQUIRE(found.cut == Approx(cut).margin(1e-5));

  // What is chosen is a split that the sharing takes.
  const Supernet parts(space, {.kind = "partition", .split = split.text}, 3);
  REQUIRE(parts.part({0, 1}) == parts.part({2, 0}));
  REQUIRE(parts.part({0, 0}) != parts.part({1, 0}));
}

TEST_CASE(
    "gradient matching changes nothing, repeats itself, and leaves a decision's own weights out") {
  const auto task = small_task();
  const auto space = spaces::Space::make("nasbench201", spaces::image_task({1, 28, 28}, 10),
                                         {{"channels", "4"}, {"cells", "1"}});
  Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  std::vector<at::Tensor> before;
  for (const auto& [name, tensor] : net.parameters()) before.push_back(tensor.detach().clone());
  const SplitSettings settings{.repeats = 2, .batches = 1, .batch_size = 16};
  const auto split = choose_split(net, *task, settings);
  const auto again = choose_split(net, *task, settings);
  REQUIRE(split.text == again.text);
  REQUIRE(split.genes.size() == 6);
  double best = 0;
  for (std::size_t gene = 0; gene < 6; ++gene) {
    const auto& found = split.genes[gene];
    REQUIRE(found.mean == again.genes[gene].mean);
    REQUIRE(found.groups[0].size() + found.groups[1].size() == 5);
    for (std::size_t i = 0; i < 25; ++i) {
      REQUIRE(found.mean[i] >= 0);
      REQUIRE(found.mean[i] <= 2);
      REQUIRE(found.mean[i] == Approx(found.mean[i % 5 * 5 + i / 5]).margin(1e-5));
    }
    best = std::max(best, found.cut);
  }
  for (const auto& found : split.genes)
    if (split.text.rfind(found.gene + ":", 0) == 0) REQUIRE(found.cut == best);
  for (std::size_t i = 0; i < before.size(); ++i) {
    REQUIRE(at::equal(net.parameters()[i].second, before[i]));
    REQUIRE_FALSE(net.parameters()[i].second.grad().defined());
  }
}

TEST_CASE("the baselines of splitting: random halves, and every option for itself") {
  const auto task = small_task();
  const auto space = disagreement();
  Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto split = choose_split(net, *task, {.method = "random", .seed = seed});
    const Supernet parts(space, {.kind = "partition", .split = split.text}, 3);
    REQUIRE(parts.sharing().parts() == 2);
    seen.insert(split.text);
  }
  REQUIRE(seen.size() > 3);
  const auto all = choose_split(net, *task, {.method = "exhaustive", .seed = 1});
  REQUIRE((all.text == "mix:0|1|2|3" || all.text == "same:0|1"));
  REQUIRE_THROWS_WITH(choose_split(net, *task, {.method = "gradients"}),
                      Catch::Contains("known: exhaustive, gradient, random"));
  REQUIRE_THROWS_WITH(choose_split(net, *task, {.batch_size = 5000}),
                      Catch::Contains("a batch of 5000 examples cannot be made of"));
}
