/// What the tests of the search share: a small space, evaluators with known answers, a database.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/search/search.hpp"

namespace mosaic::search_test {

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    // In memory where there is such a place: thousands of commits need not wait for a disk.
    const std::filesystem::path memory = "/dev/shm";
    const bool in_memory =
        std::filesystem::is_directory(memory) && access(memory.c_str(), W_OK) == 0;
    const auto place = in_memory ? memory : std::filesystem::temp_directory_path();
    std::string name = (place / "mosaic-search-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Measures with a function; `timed` as latencies are.
class FunctionEvaluator : public evaluators::Evaluator {
 public:
  using Function = std::function<double(const evaluators::Candidate&)>;
  FunctionEvaluator(std::string metric, Function function, bool timed = false)
      : metrics_{{.name = std::move(metric),
                  .unit = "unit",
                  .timed = timed,
                  .fidelity = "by a formula"}},
        function_(std::move(function)) {}
  const std::vector<evaluators::MetricInfo>& metrics() const override { return metrics_; }
  std::vector<Row> evaluate(std::span<const evaluators::Candidate> candidates,
                            const Sink& sink) override {
    return evaluators::evaluate_each(*this, candidates, sink, [&](const auto& candidate) {
      core::Measurement result;
      result.value = function_(candidate);
      return Row{result};
    });
  }

 private:
  std::vector<evaluators::MetricInfo> metrics_;
  Function function_;
};

inline db::Job new_job(const spaces::Space& space, const std::string& name,
                       std::vector<db::Objective> objectives) {
  db::Job job;
  job.name = name;
  job.status = "running";
  job.phase = "search";
  job.seed = 7;
  job.space = space.name();
  job.space_hash = space.hash();
  job.task = "none";
  job.objectives = std::move(objectives);
  return job;
}

/// The space `search-toy` of 16 genotypes and 12 networks: width, depth, and a kernel per layer
/// that exists.
spaces::Space toy_space();
/// NAS-Bench-201 with one narrow cell a stage: the same 15,625 genotypes, quicker to bind.
inline spaces::Space small_nasbench() {
  return spaces::Space::make("nasbench201", {}, {{"cells", "1"}, {"channels", "4"}});
}

/// A search over a database of its own, with the metrics of the graph as objectives.
struct Fixture {
  explicit Fixture(spaces::Space given,
                   std::vector<db::Objective> objectives = {{"params", true},
                                                            {"activation_bytes", false}})
      : space(std::move(given)), database(folder / "results.db") {
    job = new_job(space, "test", std::move(objectives));
    database.create_job(job);
  }

  std::shared_ptr<evaluators::Evaluator> cached(std::unique_ptr<evaluators::Evaluator> inner) {
    return std::make_shared<evaluators::Cached>(std::move(inner), database, job.id, space.hash());
  }
  search::SearchObjective measured(const std::string& metric, bool maximise) {
    return {metric, maximise, cached(evaluators::graph_evaluator({metric})), {}, ""};
  }
  /// Most parameters in the least memory.
  std::vector<search::SearchObjective> counts() {
    return {measured("params", true), measured("activation_bytes", false)};
  }

  Folder folder;
  spaces::Space space;
  db::Database database;
  db::Job job;
};

/// Everything a search left in a database, but times: equal dumps, equal searches.
std::string dump(const db::Reader& reader, const db::Job& job);

/// Message of the Error that `body` throws.
template <class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error.what();
  }
  FAIL("no error was thrown");
  return "";
}

}  // namespace mosaic::search_test
