#include <nlohmann/json.hpp>
#include <set>

#include "algorithm_state.hpp"
#include "common.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

using Generations = std::vector<std::vector<spaces::Genotype>>;

/// Parameters (most) and activation bytes (least) of every network, as run_search would pass them
/// on.
search::BatchFitness fitness_of(const spaces::Space& space, Generations& proposed) {
  return [&](const std::vector<spaces::Genotype>& batch) {
    proposed.push_back(batch);
    std::vector<std::vector<double>> result;
    for (const auto& genotype : batch) {
      const auto graph = space.bind(space.canonical(genotype));
      result.push_back({-spaces::count_parameters(graph), spaces::activation_bytes(graph)});
    }
    return result;
  };
}

Generations propose(const spaces::Space& space, const std::string& spec, std::uint64_t seed,
                    int steps) {
  Generations proposed;
  const auto fitness = fitness_of(space, proposed);
  const auto algorithm =
      search::make_algorithm(spec, space, {.population = 8, .objectives = 2, .seed = seed});
  for (int i = 0; i < steps; ++i) algorithm->step(fitness);
  return proposed;
}

}  // namespace

TEST_CASE("every algorithm proposes valid generations of at most the population's size") {
  const auto space = small_nasbench();
  for (const auto& name : search::algorithms().names()) {
    INFO(name);
    const auto generations = propose(space, name, 1, 3);
    CHECK(generations.size() == 3);
    for (const auto& generation : generations) {
      CHECK_FALSE(generation.empty());
      CHECK(generation.size() <= (&generation == generations.data() && name == "linas" ? 10 : 8));
      for (const auto& genotype : generation) {
        REQUIRE(genotype.size() == space.genes().size());
        for (std::size_t i = 0; i < genotype.size(); ++i) {
          CHECK(genotype[i] >= 0);
          CHECK(genotype[i] < static_cast<int>(space.genes()[i].labels.size()));
        }
      }
    }
  }
}

TEST_CASE("every algorithm is determined by its seed") {
  const auto space = small_nasbench();
  for (const auto& name : search::algorithms().names()) {
    INFO(name);
    CHECK(propose(space, name, 5, 6) == propose(space, name, 5, 6));
    CHECK(propose(space, name, 5, 6) != propose(space, name, 6, 6));
  }
}

TEST_CASE("every algorithm that was saved and loaded goes on as if it had not been") {
  const auto space = small_nasbench();
  for (const auto& name : search::algorithms().names()) {
    const auto unbroken = propose(space, name, 3, 12);
    for (const std::size_t stop : {0u, 1u, 2u, 7u}) {
      INFO(name << " saved after " << stop << " generations");
      const search::AlgorithmSettings settings{.population = 8, .objectives = 2, .seed = 3};
      Generations proposed;
      const auto fitness = fitness_of(space, proposed);
      const auto first = search::make_algorithm(name, space, settings);
      for (std::size_t i = 0; i < stop; ++i) first->step(fitness);
      const std::string state = first->save();
      const auto second = search::make_algorithm(name, space, settings);
      second->load(state);
      CHECK(second->save() == state);
      for (std::size_t i = stop; i < 12; ++i) second->step(fitness);
      CHECK(proposed == unbroken);
      // Loading again puts it back, whatever it did meanwhile.
      second->load(state);
      CHECK(second->save() == state);
    }
  }
}

TEST_CASE("a search goes on from a state that an earlier version wrote") {
  const auto space = small_nasbench();
  const search::AlgorithmSettings settings{.population = 8, .objectives = 2, .seed = 3};
  const auto check = [&](const std::string& name, const auto& as_earlier) {
    const auto algorithm = search::make_algorithm(name, space, settings);
    Generations proposed;
    algorithm->step(fitness_of(space, proposed));
    algorithm->step(fitness_of(space, proposed));
    const auto identity = search::state_identity(core::parse_call(name), space, settings);
    auto content = nlohmann::json::parse(search::read_state(identity, algorithm->save()));
    as_earlier(content);
    content.erase("members");
    const auto again = search::make_algorithm(name, space, settings);
    again->load(search::write_state(identity, content.dump()));
    CHECK(again->save() == algorithm->save());
  };
  check("local_search", [](nlohmann::json& content) { content["climbers"] = content["members"]; });
  check("evolution", [](nlohmann::json& content) {
    for (const auto& member : content["members"]) {
      content["genotypes"].push_back(member["genotype"]);
      content["objectives"].push_back(member["objectives"]);
    }
  });
}

TEST_CASE("every algorithm refuses the state of another one, and a damaged one") {
  const auto space = small_nasbench();
  const search::AlgorithmSettings settings{.population = 8, .objectives = 2, .seed = 3};
  for (const auto& name : search::algorithms().names()) {
    INFO(name);
    const auto algorithm = search::make_algorithm(name, space, settings);
    Generations proposed;
    algorithm->step(fitness_of(space, proposed));
    const std::string state = algorithm->save();

    auto other = settings;
    other.seed = 4;
    const auto stranger = search::make_algorithm(name, space, other);
    CHECK_THAT(message_of([&] { stranger->load(state); }),
               Catch::Contains("population=8 objectives=2 seed=3, not of " + name + "()") &&
                   Catch::EndsWith("go on with the job file that began the search"));
    CHECK(message_of([&] { algorithm->load(state.substr(0, state.size() - 1)); }) ==
          "the saved search state is truncated or damaged: start the search again");
    CHECK(message_of([&] { algorithm->load("mosaic"); }) ==
          "the saved search state is truncated: start the search again");
    CHECK(message_of([&] { algorithm->load("SQLite format 3\nand more"); }) ==
          "the saved search state is of the format 'SQLite format 3', not 'mosaic-search-state 1': "
          "go on "
          "with the version of Mosaic that began the search");
    CHECK(algorithm->save() == state);
  }
}

TEST_CASE("every algorithm refuses an argument that it does not have") {
  const auto space = small_nasbench();
  for (const auto& name : search::algorithms().names()) {
    INFO(name);
    CHECK_THAT(message_of([&] { search::make_algorithm(name + "(colour=1)", space, {}); }),
               Catch::Contains("colour") && Catch::StartsWith(name));
    CHECK_FALSE(search::algorithms().summary(name).empty());
  }
}

TEST_CASE("an unknown algorithm names the known ones and the nearest") {
  CHECK(message_of([] { search::make_algorithm("nsga3", toy_space(), {}); }) ==
        "unknown search algorithm 'nsga3': did you mean 'nsga2'? known: evolution, linas, "
        "local_search, maco, nsga2, random, regularized_evolution");
}

TEST_CASE("nsga2 checks its arguments") {
  const auto space = small_nasbench();
  const auto error = [&](const std::string& spec, search::AlgorithmSettings settings = {}) {
    return message_of([&] { search::make_algorithm(spec, space, settings); });
  };
  CHECK_THAT(error("nsga2(cr=1.5)"), Catch::StartsWith("nsga2: argument cr = '1.5' is not"));
  CHECK_THAT(error("nsga2(m=-0.1)"), Catch::StartsWith("nsga2: argument m = '-0.1' is not"));
  CHECK_THAT(error("nsga2(eta_c=0)"), Catch::StartsWith("nsga2: argument eta_c = '0' is not"));
  CHECK_THAT(error("nsga2(eta_m=many)"),
             Catch::StartsWith("nsga2: argument eta_m = 'many' is not"));
  CHECK(error("nsga2(etac=15)") ==
        "nsga2 has no argument 'etac': did you mean 'eta_c'? known: cr, eta_c, m, eta_m");
  CHECK(
      error("nsga2", {.population = 30}) ==
      "population 30 is not a multiple of 4 (NSGA-II pairs parents four at a time): use 28 or 32");
  CHECK(error("nsga2", {.population = 6}) ==
        "population 6 is less than 8 (NSGA-II pairs parents four at a time): use 8 or 12");
  CHECK(error("nsga2", {.objectives = 1}) ==
        "nsga2 needs at least two objectives, and the job has 1: add an [[objective]], or search "
        "with 'linas' or 'random'");
  CHECK_NOTHROW(search::make_algorithm("nsga2(cr=1, eta_c=15, m=0.02, eta_m=20)", space, {}));
}

TEST_CASE("maco checks its arguments") {
  const auto space = small_nasbench();
  const auto error = [&](const std::string& spec, search::AlgorithmSettings settings = {}) {
    return message_of([&] { search::make_algorithm(spec, space, settings); });
  };
  CHECK_THAT(error("maco(ker=33)"), Catch::StartsWith("maco: argument ker = '33' is not"));
  CHECK_THAT(error("maco(q=0)"), Catch::StartsWith("maco: argument q = '0' is not"));
  CHECK(error("maco", {.population = 1}) ==
        "maco needs a population of at least 2 (an archive of two), not 1: leave it out for 32");
  CHECK_NOTHROW(search::make_algorithm("maco(ker=10, q=0.5, threshold=5, focus=2)", space, {}));
}

TEST_CASE("maco searches on where every network failed or is infeasible") {
  const auto space = small_nasbench();
  const auto maco =
      search::make_algorithm("maco", space, {.population = 8, .objectives = 2, .constraints = 1});
  std::size_t proposed = 0;
  for (int i = 0; i < 5; ++i)
    maco->step([&](const std::vector<spaces::Genotype>& batch) {
      proposed += batch.size();
      std::vector<std::vector<double>> result(batch.size(), {1, 2, 0.5});
      result[0] = {1e30, 1e30, 1e30};
      return result;
    });
  CHECK(proposed == 40);
}

TEST_CASE("random search draws every network of a small space exactly once") {
  const auto space = toy_space();
  std::set<spaces::Genotype> drawn;
  const auto random = search::make_algorithm("random", space, {.population = 5});
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 3; ++i)
    random->step([&](const std::vector<spaces::Genotype>& batch) {
      sizes.push_back(batch.size());
      for (const auto& genotype : batch) {
        CHECK(genotype == space.canonical(genotype));
        CHECK(drawn.insert(genotype).second);
      }
      return std::vector<std::vector<double>>(batch.size(), {0, 0});
    });
  CHECK(drawn.size() == 12);
  CHECK(sizes == std::vector<std::size_t>{5, 5, 2});
  bool asked = false;
  random->step([&](const auto& batch) {
    asked = true;
    return std::vector<std::vector<double>>(batch.size());
  });
  CHECK_FALSE(asked);
}

TEST_CASE("the search section of a job file is checked before long work starts") {
  const auto read = [](const std::string& text) {
    auto config = core::Config::from_text(text, "job.toml");
    return search::SearchSettings::read(config.root().section("search"));
  };
  const auto settings =
      read("[search]\nalgorithm = \"random\"\npopulation = 30\nevaluations = 500\nstall = 3\n");
  CHECK(settings.algorithm == "random");
  CHECK(settings.population == 30);
  CHECK(settings.evaluations == 500);
  CHECK(settings.stall == 3);
  CHECK(read("").algorithm == "nsga2");
  CHECK(read("").population == 32);
  CHECK(read("[search]\nalgorithm = \"linas\"\n").population == 5);
  CHECK(read("[search]\npatience = 7\nminutes = 1.5\n").patience == 7);

  CHECK_THAT(
      message_of([&] { read("[search]\npopulation = 30\n"); }),
      Catch::StartsWith("job.toml:2") &&
          Catch::EndsWith("population 30 is not a multiple of 4 (NSGA-II pairs parents four at a "
                          "time): use 28 or 32"));
  CHECK_THAT(message_of([&] { read("[search]\nstall = 2\nalgorithm = \"nsga2(cr=7)\"\n"); }),
             Catch::StartsWith("job.toml:3") && Catch::Contains("nsga2: argument cr = '7' is not"));
  CHECK_THAT(message_of([&] { read("[search]\nalgorithm = \"annealing\"\n"); }),
             Catch::StartsWith("job.toml:2") &&
                 Catch::Contains("unknown search algorithm 'annealing'") &&
                 Catch::Contains("known: evolution, linas, "));
}
