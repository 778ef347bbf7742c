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
      : function_(std::move(function)), log_(log), timed_(timed) {}
  const std::string& metric() const override { return metric_; }
  const std::string& unit() const override { return unit_; }
  std::string fidelity() const override { return "batch=1"; }
  bool timed() const override { return timed_; }
  std::vector<core::Measurement> evaluate(std::span<const Candidate> candidates,
                                          const Sink& sink) override {
    return evaluators::evaluate_each(*this, candidates, sink, [&](const Candidate& candidate) {
      log_.push_back(candidate.arch);
      core::Measurement result;
      result.value = function_(candidate);
      return result;
    });
  }

 private:
  std::string metric_ = "latency_ms";
  std::string unit_ = "ms";
  Function function_;
  std::vector<std::string>& log_;
  bool timed_;
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
  CHECK(evaluators::graph_metrics() ==
        std::vector<std::string>{"activation_bytes", "flops", "params"});
  for (const auto& metric : evaluators::graph_metrics()) {
    const auto evaluator = evaluators::graph_evaluator(metric);
    CHECK(evaluator->metric() == metric);
    CHECK(evaluator->exact());
    CHECK_FALSE(evaluator->timed());
    std::vector<std::size_t> announced;
    const auto results = evaluator->evaluate(
        candidates, [&](std::size_t i, const core::Measurement&) { announced.push_back(i); });
    REQUIRE(results.size() == candidates.size());
    CHECK(announced == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6});
    for (std::size_t i = 0; i < results.size(); ++i) {
      CHECK(results[i].ok());
      CHECK(results[i].value == expected.at(metric)(candidates[i].graph));
      CHECK(results[i].metric == metric);
      CHECK(results[i].unit == evaluator->unit());
      CHECK(results[i].fidelity == evaluator->fidelity());
    }
  }
}

TEST_CASE("an unknown metric of the graph lists the known ones") {
  try {
    evaluators::graph_evaluator("flop");
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
  CHECK(results[0].ok());
  CHECK(results[1].message == "CUDA error: an illegal memory access");
  CHECK(results[2].message == "out of memory");
  CHECK(results[3].message == "the value is nan, not a finite number");
  CHECK(results[4].ok());
  for (int i : {1, 2, 3})
    CHECK(results[static_cast<std::size_t>(i)].status == core::Status::failed);
  CHECK(f.database->measurements(f.first.id, "latency_ms").size() == 5);
  // A failure stands within the job: a search that is gone on with takes the same way.
  CHECK(evaluator.evaluate(candidates)[2].message == "out of memory");
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
  const auto sink = [&](std::size_t i, const core::Measurement&) { announced.push_back(i); };
  const auto once = evaluator.evaluate(candidates, sink);
  CHECK(f.log ==
        std::vector<std::string>{candidates[0].arch, candidates[1].arch, candidates[2].arch});
  CHECK(once[3].value == once[1].value);
  CHECK(announced == std::vector<std::size_t>{0, 1, 3, 2});

  const auto more = some_candidates(f.space, 5);
  const auto again = evaluator.evaluate(more);
  CHECK(f.log.size() == 5);
  for (std::size_t i = 0; i < more.size(); ++i) CHECK(again[i].value == flops(more[i]));
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
  CHECK(results[0].value == flops(candidates[0]));
  CHECK(results[1].value == flops(candidates[1]));
  // The second job has them as its own, once.
  second.evaluate(candidates);
  CHECK(f.database->measurements(f.second.id, "latency_ms").size() == 2);
}

TEST_CASE("the cache answers for the evaluator it decorates") {
  Fixture f;
  for (const bool timed : {false, true}) {
    const auto evaluator = f.cached(f.first, flops, timed);
    CHECK(evaluator.metric() == "latency_ms");
    CHECK(evaluator.unit() == "ms");
    CHECK(evaluator.fidelity() == "batch=1");
    CHECK(evaluator.timed() == timed);
    CHECK_FALSE(evaluator.exact());
  }
  const evaluators::Cached params(evaluators::graph_evaluator("params"), *f.database, f.first.id,
                                  f.space.hash());
  CHECK(params.exact());
}
