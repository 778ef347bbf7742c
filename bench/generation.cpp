// Times one generation of the algorithm "evolution": 10,000 children of a population of 10,000 in
// the space resnet-elastic, two objectives, one thread; bench/generation.py shows them beside a
// peer.
//   bench_generation [--population 10000] [--repeats 7] [--seed 1]
// Objectives are (a) "cheap": two weighted sums of the genes; (b) "ridge": two ridge regressions on
// one-hot genes, fitted to parameters and FLOPs of 200 random networks, one matrix product.
#include <CLI/CLI.hpp>
#include <Eigen/Dense>
#include <array>
#include <chrono>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/search/algorithm.hpp"

using namespace mosaic;

namespace {

constexpr std::size_t kKnown = 200;  // networks that the ridge is fitted to

struct Options {
  std::size_t population = 10'000;
  int repeats = 7;
  std::uint64_t seed = 1;
};

std::vector<std::vector<double>> rows(const Eigen::MatrixXd& values) {
  std::vector<std::vector<double>> result;
  result.reserve(static_cast<std::size_t>(values.rows()));
  for (Eigen::Index i = 0; i < values.rows(); ++i) result.push_back({values(i, 0), values(i, 1)});
  return result;
}

Eigen::MatrixXd one_hot(const spaces::Space& space, const std::vector<spaces::Genotype>& batch) {
  std::vector<Eigen::Index> first;
  Eigen::Index columns = 0;
  for (const auto& gene : space.genes()) {
    first.push_back(columns);
    columns += static_cast<Eigen::Index>(gene.labels.size());
  }
  Eigen::MatrixXd features =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(batch.size()), columns);
  for (std::size_t i = 0; i < batch.size(); ++i)
    for (std::size_t gene = 0; gene < first.size(); ++gene)
      features(static_cast<Eigen::Index>(i), first[gene] + batch[i][gene]) = 1;
  return features;
}

/// Two weighted sums of the genes, pulling in different directions.
search::BatchFitness cheap(const spaces::Space& space, std::uint64_t seed) {
  core::Stream stream(seed, "bench/cheap");
  std::vector<std::array<double, 2>> weights;
  for (std::size_t i = 0; i < space.genes().size(); ++i)
    weights.push_back({stream.normal(), 1.2 * stream.uniform() - 1});
  return [weights](const std::vector<spaces::Genotype>& batch) {
    std::vector<std::vector<double>> result(batch.size(), {0, 0});
    for (std::size_t i = 0; i < batch.size(); ++i)
      for (std::size_t gene = 0; gene < weights.size(); ++gene)
        for (std::size_t k = 0; k < 2; ++k) result[i][k] += weights[gene][k] * batch[i][gene];
    return result;
  };
}

/// Most parameters, least FLOPs, both as ridge regression has them.
search::BatchFitness ridge(const spaces::Space& space, std::uint64_t seed) {
  core::Stream stream(seed, "bench/ridge");
  std::vector<spaces::Genotype> known;
  Eigen::MatrixXd targets(kKnown, 2);
  for (std::size_t i = 0; i < kKnown; ++i) {
    known.push_back(space.random(stream));
    const auto graph = space.bind(known.back());
    targets.row(static_cast<Eigen::Index>(i)) << -spaces::count_parameters(graph),
        spaces::count_flops(graph);
  }
  const Eigen::RowVectorXd mean = targets.colwise().mean();
  const Eigen::MatrixXd features = one_hot(space, known);
  const Eigen::MatrixXd normal =
      features.transpose() * features + Eigen::MatrixXd::Identity(features.cols(), features.cols());
  const Eigen::MatrixXd weights =
      normal.llt().solve(features.transpose() * (targets.rowwise() - mean));
  return [&space, weights, mean](const std::vector<spaces::Genotype>& batch) {
    return rows((one_hot(space, batch) * weights).rowwise() + mean);
  };
}

struct Times {
  std::vector<double> wall;
  std::vector<double> processor;
};

/// Of each generation after the first, which makes and sorts the random population.
Times generations(const spaces::Space& space, const search::BatchFitness& fitness,
                  const Options& options) {
  const auto algorithm = search::make_algorithm(
      "evolution", space,
      {.population = options.population, .objectives = 2, .seed = options.seed});
  std::size_t proposed = 0;
  const auto counted = [&](const std::vector<spaces::Genotype>& batch) {
    proposed = batch.size();
    return fitness(batch);
  };
  algorithm->step(counted);
  Times times;
  for (int i = 0; i < options.repeats; ++i) {
    const auto wall = std::chrono::steady_clock::now();
    const auto processor = std::clock();
    algorithm->step(counted);
    times.processor.push_back(static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC);
    times.wall.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count());
    if (proposed != options.population)
      throw core::Error("a generation has only " + std::to_string(proposed) + " networks",
                        "choose a smaller population");
  }
  return times;
}

void run(const Options& options) {
  const auto space = spaces::Space::make("resnet-elastic");
  std::vector<std::size_t> genes;
  for (const auto& gene : space.genes()) genes.push_back(gene.labels.size());
  nlohmann::json found;
  for (const std::string kind : {"cheap", "ridge"}) {
    const auto fitness = kind == "cheap" ? cheap(space, options.seed) : ridge(space, options.seed);
    const Times times = generations(space, fitness, options);
    found[kind] = {{"seconds", times.wall}, {"processor_seconds", times.processor}};
  }
  std::cout << nlohmann::json{{"options", genes}, {"objectives", found}} << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("seconds of generations, as JSON");
  Options options;
  app.add_option("--population", options.population)->capture_default_str();
  app.add_option("--repeats", options.repeats)->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
