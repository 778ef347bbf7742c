#include "mosaic/evaluators/evaluator.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "mosaic/core/error.hpp"
#include "mosaic/db/database.hpp"

using namespace mosaic;
using evaluators::Candidate;

namespace {

spaces::Space small_space() {
  return spaces::Space::make("nasbench201", {}, {{"cells", "1"}, {"channels", "4"}});
}

std::vector<Candidate> some_candidates(const spaces::Space& space, int count) {
  std::vector<Candidate> candidates;
  for (int i = 0; i < count; ++i)
    candidates.push_back(evaluators::make_candidate(space, {i % 5, 3, 0, 1, 2, i / 5 % 5}));
  return candidates;
}

/// Measures by a function, and counts what it measured.
class Counting : public evaluators::Evaluator {
 public:
  using Function = std::function<double(const Candidate&)>;
  Counting(Function function, std::vector<std::string>& log, bool timed)
      : metrics_{{.name = "latency_ms", .unit = "ms", .timed = timed, .fidelity = "batch=1"}},
        function_(std::move(function)),
        log_(log) {}
  const std::vector<evaluators::MetricInfo>& metrics() const override { return metrics_; }
  std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
    return evaluators::evaluate_each(*this, candidates, sink, [&](const Candidate& candidate) {
      log_.push_back(candidate.arch);
      core::Measurement result;
      result.value = function_(candidate);
      return Row{result};
    });
  }

 private:
  std::vector<evaluators::MetricInfo> metrics_;
  Function function_;
  std::vector<std::string>& log_;
};

/// A database with two jobs over one space.
struct Fixture {
  Fixture() {
    std::string name =
        (std::filesystem::temp_directory_path() / "mosaic-evaluators-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder = name;
    database = std::make_unique<db::Database>((folder / "results.db").string());
    for (auto* job : {&first, &second}) {
      job->name = job == &first ? "first" : "second";
      job->status = "running";
      job->phase = "search";
      job->space = space.name();
      job->space_hash = space.hash();
      job->objectives = {{"latency_ms", false}};
      database->create_job(*job);
    }
  }
  ~Fixture() {
    database.reset();
    std::filesystem::remove_all(folder);
  }
  evaluators::Cached cached(const db::Job& job, Counting::Function function, bool timed = false) {
    return {std::make_unique<Counting>(std::move(function), log, timed), *database, job.id,
            space.hash()};
  }

  std::filesystem::path folder;
  spaces::Space space = small_space();
  std::unique_ptr<db::Database> database;
  db::Job first;
  db::Job second;
  std::vector<std::string> log;
};

double flops(const Candidate& candidate) { return spaces::count_flops(candidate.graph); }

}  // namespace

TEST_CASE("a candidate is canonical and knows its text, hash and graph") {
  const auto space = small_space();
  const auto candidate = evaluators::make_candidate(space, {0, 1, 2, 3, 4, 0});
  CHECK(candidate.genotype == space.canonical({0, 1, 2, 3, 4, 0}));
  CHECK(candidate.arch == space.text(candidate.genotype));
  CHECK(candidate.hash == space.hash(candidate.genotype));
  CHECK(spaces::function_hash(candidate.graph) ==
        spaces::function_hash(space.bind(candidate.genotype)));
}

TEST_CASE("every metric of the graph is what the graph says, and knows that it is exact") {
  const auto space = small_space();
  const auto candidates = some_candidates(space, 7);
  const std::map<std::string, std::function<double(const spaces::Graph&)>> expected = {
      {"params", [](const auto& graph) { return spaces::count_parameters(graph); }},
      {"flops", [](const auto& graph) { return spaces::count_flops(graph); }},
      {"activation_bytes", [](const auto& graph) { return spaces::activation_bytes(graph); }}};
  std::vector<std::string> names;
  for (const auto& info : evaluators::graph_metrics()) names.push_back(info.name);
  CHECK(names == std::vector<std::string>{"activation_bytes", "flops", "params"});
  const auto evaluator = evaluators::graph_evaluator(names);
  std::vector<std::size_t> announced;
  const auto results = evaluator->evaluate(
      candidates,
      [&](std::size_t i, const evaluators::Evaluator::Row&) { announced.push_back(i); });
  REQUIRE(results.size() == candidates.size());
  CHECK(announced == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6});
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto& info = evaluator->metrics().at(k);
    CHECK(info.name == names[k]);
    CHECK(info.exact);
    CHECK_FALSE(info.timed);
    CHECK(evaluator->column(names[k]) == k);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& result = results[i].at(k);
      CHECK(result.ok());
      CHECK(result.value == expected.at(names[k])(candidates[i].graph));
      CHECK(result.metric == names[k]);
      CHECK(result.unit == info.unit);
      CHECK(result.fidelity == info.fidelity);
    }
  }
}

TEST_CASE("an unknown metric of the graph lists the known ones") {
  try {
    evaluators::graph_evaluator({"flop"});
    FAIL("no error");
  } catch (const core::UsageError& error) {
    CHECK(std::string(error.what()) ==
          "'flop' is not counted from the graph of a network: did you mean 'flops'? known: "
          "activation_bytes, flops, params");
  }
}

TEST_CASE("a candidate that fails becomes a recorded failure, and the rest go on") {
  Fixture f;
  int call = 0;
  auto evaluator = f.cached(f.first, [&](const Candidate& candidate) -> double {
    switch (call++) {
      case 1:
        throw std::runtime_error("CUDA error: an illegal memory access");
      case 2:
        throw std::bad_alloc();
      case 3:
        return std::nan("");
      default:
        return flops(candidate);
    }
  });
  const auto candidates = some_candidates(f.space, 5);
  const auto results = evaluator.evaluate(candidates);
  CHECK(results[0][0].ok());
  CHECK(results[1][0].message == "CUDA error: an illegal memory access");
  CHECK(results[2][0].message == "out of memory");
  CHECK(results[3][0].message == "the value is nan, not a finite number");
  CHECK(results[4][0].ok());
  for (int i : {1, 2, 3})
    CHECK(results[static_cast<std::size_t>(i)][0].status == core::Status::failed);
  CHECK(f.database->measurements(f.first.id, "latency_ms").size() == 5);
  // A failure stands within the job: a search that is gone on with takes the same way.
  CHECK(evaluator.evaluate(candidates)[2][0].message == "out of memory");
  CHECK(call == 5);
}

TEST_CASE("an interrupt passes through, and what was measured before it is kept") {
  Fixture f;
  auto evaluator = f.cached(f.first, [&](const Candidate& candidate) -> double {
    if (f.log.size() == 3) throw core::Interrupted("stopped by Ctrl-C");
    return flops(candidate);
  });
  const auto candidates = some_candidates(f.space, 5);
  CHECK_THROWS_AS(evaluator.evaluate(candidates), core::Interrupted);
  CHECK(f.database->measurements(f.first.id, "latency_ms").size() == 2);
}

TEST_CASE("a network is measured once, also when it is asked for twice in one batch") {
  Fixture f;
  auto evaluator = f.cached(f.first, flops);
  auto candidates = some_candidates(f.space, 3);
  candidates.push_back(candidates[1]);
  std::vector<std::size_t> announced;
  const auto sink = [&](std::size_t i, const evaluators::Evaluator::Row&) {
    announced.push_back(i);
  };
  const auto once = evaluator.evaluate(candidates, sink);
  CHECK(f.log ==
        std::vector<std::string>{candidates[0].arch, candidates[1].arch, candidates[2].arch});
  CHECK(once[3][0].value == once[1][0].value);
  CHECK(announced == std::vector<std::size_t>{0, 1, 3, 2});

  const auto more = some_candidates(f.space, 5);
  const auto again = evaluator.evaluate(more);
  CHECK(f.log.size() == 5);
  for (std::size_t i = 0; i < more.size(); ++i) CHECK(again[i][0].value == flops(more[i]));
  CHECK(f.database->measurements(f.first.id, "latency_ms").size() == 5);
}

TEST_CASE("another job's measurement is used unless it is a timing or a failure") {
  Fixture f;
  const auto candidates = some_candidates(f.space, 2);
  const bool timed = GENERATE(false, true);
  bool fail = true;
  const auto function = [&](const Candidate& candidate) {
    if (fail && candidate.arch == candidates[1].arch) throw std::runtime_error("does not fit");
    return flops(candidate);
  };
  auto first = f.cached(f.first, function, timed);
  auto second = f.cached(f.second, function, timed);
  first.evaluate(candidates);
  CHECK(f.log.size() == 2);
  fail = false;
  const auto results = second.evaluate(candidates);
  CHECK(f.log.size() == (timed ? 4 : 3));
  CHECK(results[0][0].value == flops(candidates[0]));
  CHECK(results[1][0].value == flops(candidates[1]));
  // The second job has them as its own, once.
  second.evaluate(candidates);
  CHECK(f.database->measurements(f.second.id, "latency_ms").size() == 2);
}

TEST_CASE("of several metrics those that a network lacks are measured, and the others kept") {
  /// The second call would give other numbers.
  class Both : public evaluators::Evaluator {
   public:
    explicit Both(std::vector<std::string> names, int& calls) : calls_(calls) {
      for (auto& name : names) metrics_.push_back({.name = std::move(name), .fidelity = "seen"});
    }
    const std::vector<evaluators::MetricInfo>& metrics() const override { return metrics_; }
    std::vector<Row> evaluate(std::span<const Candidate> candidates, const Sink& sink) override {
      ++calls_;
      return evaluators::evaluate_each(*this, candidates, sink, [&](const Candidate&) {
        Row row(metrics_.size());
        for (auto& one : row) one.value = calls_;
        return row;
      });
    }

   private:
    std::vector<evaluators::MetricInfo> metrics_;
    int& calls_;
  };
  Fixture f;
  int calls = 0;
  const auto cached = [&](const std::vector<std::string>& names) {
    return evaluators::Cached(std::make_unique<Both>(names, calls), *f.database, f.first.id,
                              f.space.hash());
  };
  const auto candidates = some_candidates(f.space, 2);
  CHECK(cached({"a"}).evaluate(candidates)[1][0].value == 1);
  const auto both = cached({"a", "b"}).evaluate(candidates);
  CHECK(both[1][0].value == 1);
  CHECK(both[1][1].value == 2);
  cached({"b", "a"}).evaluate(candidates);
  CHECK(calls == 2);
  CHECK(f.database->measurements(f.first.id, "a").size() == 2);
  CHECK(f.database->measurements(f.first.id, "b").size() == 2);
}
