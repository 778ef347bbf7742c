#include "mosaic/supernet/training/sampler.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "mosaic/core/error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

spaces::Space elastic_space() {
  return spaces::Space::make("resnet-elastic", spaces::image_task({1, 12, 12}, 10),
                             {{"width", "8"}, {"blocks", "2"}});
}

spaces::Space cell_space() {
  return spaces::Space::make("nasbench201", spaces::image_task({1, 12, 12}, 10),
                             {{"channels", "4"}, {"cells", "1"}});
}

spaces::Space pooling_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "6"}, {"poolings", "2"}});
}

int relus(const spaces::Graph& graph) {
  int count = 0;
  for (const auto& node : graph.nodes) count += node.op == "relu" ? 1 : 0;
  return count;
}

/// Longest path in weighted layers, by walking every path back from the output.
int longest_path(const spaces::Graph& graph, int node) {
  const auto& current = graph.nodes[static_cast<std::size_t>(node)];
  int before = 0;
  for (const int input : current.inputs) before = std::max(before, longest_path(graph, input));
  return before + (current.op == "conv2d" || current.op == "linear" ? 1 : 0);
}

/// Pearson's statistic of counts that should all be equal.
double chi_squared(const std::vector<int>& counts) {
  double total = 0;
  for (const int count : counts) total += count;
  const double expected = total / static_cast<double>(counts.size());
  double result = 0;
  for (const int count : counts) result += (count - expected) * (count - expected) / expected;
  return result;
}

std::vector<spaces::Genotype> everything(const spaces::Space& space) {
  return space.enumerate().value();
}

}  // namespace

TEST_CASE("every sampler draws per_step() canonical architectures that the stream alone decides") {
  for (const auto& space : {elastic_space(), cell_space(), pooling_space()})
    for (const auto& name : samplers().names()) {
      INFO(name << " " << space.name());
      const auto sampler = make_sampler(name, space);
      const auto other = make_sampler(name, space);
      core::Stream a(3, "sampler", 5), b(3, "sampler", 5), c(3, "sampler", 6);
      const auto drawn = sampler->draw(a);
      REQUIRE(drawn.size() == sampler->per_step());
      for (const auto& genotype : drawn) REQUIRE(space.canonical(genotype) == genotype);
      (void)other->draw(c);  // what was drawn before does not matter
      REQUIRE(other->draw(b) == drawn);
    }
}

TEST_CASE("samplers: uniform draws one, sandwich the extremes and some more") {
  const auto space = elastic_space();
  core::Stream stream(1, "sampler");
  REQUIRE(make_sampler("uniform", space)->draw(stream).size() == 1);
  const auto drawn = make_sampler("sandwich(random=3)", space)->draw(stream);
  REQUIRE(drawn.size() == 5);
  REQUIRE(drawn[0] == space.largest());
  REQUIRE(drawn[1] == space.smallest());
  REQUIRE_THROWS_WITH(make_sampler("sandwhich", space),
                      Catch::Contains("did you mean 'sandwich'?"));
  REQUIRE_THROWS_WITH(make_sampler("sandwich(rnd=3)", space), Catch::Contains("random"));
}

TEST_CASE("sandwich takes the extremes of FLOPs where all networks have the same size") {
  const auto space = pooling_space();
  core::Stream stream(1, "sampler");
  const auto drawn = make_sampler("sandwich", space)->draw(stream);
  std::vector<double> flops;
  for (const auto& genotype : everything(space)) {
    flops.push_back(spaces::count_flops(space.bind(genotype)));
    REQUIRE(spaces::count_parameters(space.bind(genotype)) ==
            spaces::count_parameters(space.bind(drawn[0])));
  }
  REQUIRE(spaces::count_flops(space.bind(drawn[0])) ==
          *std::max_element(flops.begin(), flops.end()));
  REQUIRE(spaces::count_flops(space.bind(drawn[1])) ==
          *std::min_element(flops.begin(), flops.end()));
  REQUIRE(flops.front() != flops.back());
}

TEST_CASE("fair: within a step every option of every decision is drawn equally often") {
  const auto space = cell_space();  // six decisions of five options, all of them always there
  const auto sampler = make_sampler("fair", space);
  REQUIRE(sampler->per_step() == 5);
  core::Stream stream(1, "sampler");
  std::vector<int> pairs(25, 0);  // of the first two decisions
  for (int step = 0; step < 400; ++step) {
    const auto drawn = sampler->draw(stream);
    for (std::size_t gene = 0; gene < 6; ++gene) {
      std::set<int> options;
      for (const auto& genotype : drawn) options.insert(genotype[gene]);
      REQUIRE(options.size() == 5);
    }
    for (const auto& genotype : drawn)
      ++pairs[static_cast<std::size_t>(genotype[0] * 5 + genotype[1])];
  }
  // Decisions are dealt independently: 25 equal cells, below the 99.9% point of 24 degrees of
  // freedom.
  REQUIRE(chi_squared(pairs) < 51.2);
}

TEST_CASE(
    "fair: a decision with fewer options deals each as often as the others, but for the rest") {
  const auto space = elastic_space();
  const auto sampler = make_sampler("fair", space);
  REQUIRE(sampler->per_step() == 3);
  std::size_t kernel = 0, width = 0;
  for (std::size_t i = 0; i < space.genes().size(); ++i) {
    if (space.genes()[i].name == "stage1.0.kernel") kernel = i;  // 3 or 5, always there
    if (space.genes()[i].name == "stage1.width") width = i;
  }
  REQUIRE(space.genes()[kernel].labels.size() == 2);
  core::Stream stream(1, "sampler");
  std::vector<int> together(2, 0);
  for (int step = 0; step < 500; ++step) {
    const auto drawn = sampler->draw(stream);
    std::vector<int> kernels(2, 0);
    std::set<int> widths;
    for (const auto& genotype : drawn) {
      ++kernels[static_cast<std::size_t>(genotype[kernel])];
      ++together[static_cast<std::size_t>(genotype[kernel])];
      widths.insert(genotype[width]);
    }
    REQUIRE(std::abs(kernels[0] - kernels[1]) == 1);
    REQUIRE(widths.size() == 3);
  }
  REQUIRE(std::abs(together[0] - together[1]) < 75);  // the odd one is either, as a fair coin
}

TEST_CASE("stratified: distinct values of a statistic are drawn equally often, however rare") {
  const auto space = cell_space();
  std::map<int, int> sizes;
  for (const auto& genotype : everything(space)) ++sizes[relus(space.bind(genotype))];
  REQUIRE(sizes.size() > 5);
  const auto sampler =
      make_sampler("stratified(by=relu, strata=" + std::to_string(sizes.size()) + ")", space);
  core::Stream stream(1, "sampler");
  std::map<int, int> drawn;
  for (int i = 0; i < 4000; ++i) ++drawn[relus(space.bind(sampler->draw(stream)[0]))];
  std::vector<int> counts;
  for (const auto& [value, count] : sizes) counts.push_back(drawn[value]);
  // 99.9% points of chi-squared are below 3 times the degrees of freedom + 8.
  REQUIRE(chi_squared(counts) < 3.0 * static_cast<double>(counts.size() - 1) + 8);
  // As the space has them, they are anything but equally frequent.
  std::vector<int> uniform;
  for (const auto& [value, count] : sizes) uniform.push_back(count);
  REQUIRE(*std::max_element(uniform.begin(), uniform.end()) >
          10 * *std::min_element(uniform.begin(), uniform.end()));
}

TEST_CASE("stratified: many values are cut at quantiles, in a space too large to list as well") {
  const auto space = elastic_space();
  const auto sampler = make_sampler("stratified(by=flops, strata=4)", space);
  core::Stream stream(1, "sampler"), reference(2, "reference");
  std::vector<double> flops;
  for (int i = 0; i < 2000; ++i)
    flops.push_back(spaces::count_flops(space.bind(space.random(reference))));
  std::sort(flops.begin(), flops.end());
  std::vector<int> counts(4, 0);
  std::set<spaces::Genotype> distinct;
  for (int i = 0; i < 1000; ++i) {
    const auto genotype = sampler->draw(stream)[0];
    distinct.insert(genotype);
    const double value = spaces::count_flops(space.bind(genotype));
    ++counts[value >= flops[1500] ? 3 : value >= flops[1000] ? 2 : value >= flops[500] ? 1 : 0];
  }
  for (const int count : counts) CHECK(count == Approx(250).margin(75));
  CHECK(distinct.size() > 950);  // not only those of the sample that the quantiles were read from
}

TEST_CASE("stratified: depth is the longest path in weighted layers") {
  const auto space = cell_space();
  std::map<int, int> sizes;
  for (const auto& genotype : everything(space)) {
    const auto graph = space.bind(genotype);
    ++sizes[longest_path(graph, graph.entries[0].outputs[0])];
  }
  const auto sampler =
      make_sampler("stratified(by=depth, strata=" + std::to_string(sizes.size()) + ")", space);
  core::Stream stream(1, "sampler");
  std::map<int, int> drawn;
  for (int i = 0; i < 3000; ++i) {
    const auto graph = space.bind(sampler->draw(stream)[0]);
    ++drawn[longest_path(graph, graph.entries[0].outputs[0])];
  }
  std::vector<int> counts;
  for (const auto& [value, count] : sizes) counts.push_back(drawn[value]);
  REQUIRE(chi_squared(counts) < 3.0 * static_cast<double>(counts.size() - 1) + 8);
}

TEST_CASE("stratified refuses a statistic that it does not know") {
  const auto space = pooling_space();
  REQUIRE_THROWS_WITH(make_sampler("stratified(by=flop)", space),
                      Catch::Contains("'flop' is no statistic of a network"));
  REQUIRE_THROWS_WITH(make_sampler("stratified(per=relu)", space), Catch::Contains("by"));
}
