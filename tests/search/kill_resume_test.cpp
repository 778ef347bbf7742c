// A search is killed at a crash point, by SIGKILL, and gone on with in a fresh process.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <set>

#include "common.hpp"

using namespace mosaic;
using namespace mosaic::search_test;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A timing that appends to a file each time it is taken.
double logged_timing(const std::string& log, const evaluators::Candidate& candidate) {
  std::ofstream(log, std::ios::app) << candidate.arch << std::endl;
  if (candidate.hash[0] == '7') throw std::runtime_error("out of memory");
  return spaces::activation_bytes(candidate.graph) * 1e-3 +
         spaces::count_flops(candidate.graph) * 1e-7;
}

/// The work that is killed: a search on one exact, one timed and one predicted objective, then the
/// re-measured front. Begins the job, or goes on with it.
void work(const std::string& path, const std::string& log) {
  const auto space = small_nasbench();
  db::Database database(path);
  auto job =
      new_job(space, "killed", {{"params", true}, {"step_ms", false}, {"latency_ms", false}});
  if (const auto found = database.find_job(job.name))
    job = *found;
  else
    database.create_job(job);
  const auto cached = [&](std::unique_ptr<evaluators::Evaluator> inner) {
    return std::make_shared<evaluators::Cached>(std::move(inner), database, job.id, space.hash());
  };
  std::vector<search::SearchObjective> objectives(3);
  const auto timed = [&](const std::string& metric) {
    return cached(std::make_unique<FunctionEvaluator>(
        metric,
        [file = log + "." + metric](const auto& candidate) {
          return logged_timing(file, candidate);
        },
        true));
  };
  objectives[0] = {"params", true, cached(evaluators::graph_evaluator({"params"})), {}, ""};
  objectives[1] = {"step_ms", false, timed("step_ms"), {}, ""};
  objectives[2] = {"latency_ms", false, timed("latency_ms"),
                   [](std::span<const evaluators::Candidate> candidates) {
                     std::vector<predictors::Prediction> result;
                     // Depends on the size of the batch, as sums of floats do: a prediction made
                     // again in another batch would show.
                     for (const auto& candidate : candidates)
                       result.push_back({spaces::count_flops(candidate.graph) * 1e-7 +
                                             1e-6 * static_cast<double>(candidates.size()),
                                         0.25});
                     return result;
                   },
                   "a formula"};
  search::run_search(space, objectives, {cached(evaluators::graph_evaluator({"flops"}))},
                     {environment("MOSAIC_TEST_ALGORITHM"), 8, 44, 20}, 7, database, job);
  search::remeasure_front(space, objectives, database, job);
}

/// Runs work() in a fresh process that dies at crash point `crash_at` (0: lives). Gives the wait
/// status.
int run_child(const std::string& path, const std::string& algorithm, long crash_at,
              const std::string& count_file = {}) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv("MOSAIC_TEST_DB", path.c_str(), 1);
    setenv("MOSAIC_TEST_ALGORITHM", algorithm.c_str(), 1);
    unsetenv("MOSAIC_CRASH_AT");
    if (crash_at > 0) setenv("MOSAIC_CRASH_AT", std::to_string(crash_at).c_str(), 1);
    if (!count_file.empty()) setenv("MOSAIC_COUNT_CRASH_POINTS", count_file.c_str(), 1);
    const int out = open((path + ".out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execl("/proc/self/exe", "test_search", "a process that may be killed", nullptr);
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

bool finished(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
bool killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::vector<std::string> kTimings = {"step_ms", "latency_ms"};

std::string dump_of(const std::string& path) {
  const db::Reader reader(path);
  return dump(reader, reader.job());
}

/// The timings that a job has taken, in order; and those of them that are in its database.
std::vector<std::string> taken(const std::string& path, const std::string& metric) {
  std::istringstream lines(content(path + "." + metric));
  std::vector<std::string> result;
  for (std::string line; std::getline(lines, line);) result.push_back(line);
  return result;
}
std::set<std::string> stored(const std::string& path, const std::string& metric) {
  std::set<std::string> result;
  const db::Database database(path);  // as a process that goes on would open it
  const auto jobs = database.jobs();
  if (jobs.empty()) return result;
  for (const auto& timed : database.measurements(jobs[0].id, metric)) result.insert(timed.arch);
  return result;
}

/// The first line in which two texts differ; empty if they are equal.
std::string difference(const std::string& expected, const std::string& found) {
  std::istringstream a(expected);
  std::istringstream b(found);
  for (std::string left, right;;) {
    const bool more_left = static_cast<bool>(std::getline(a, left));
    const bool more_right = static_cast<bool>(std::getline(b, right));
    if (!more_left && !more_right) return "";
    if (!more_left || !more_right || left != right)
      return "expected: " + (more_left ? left : "the end") +
             "\nfound:    " + (more_right ? right : "the end");
  }
}

/// Goes on with a killed job: only timings that are not in its database may be taken.
int resume(const std::string& path, const std::string& algorithm, long crash_at) {
  std::map<std::string, std::set<std::string>> before;
  std::map<std::string, std::size_t> lines;
  for (const auto& metric : kTimings) {
    before[metric] = stored(path, metric);
    const auto all = taken(path, metric);
    lines[metric] = all.size();
    // At most the one is lost that was on its way to the database.
    CHECK(std::set<std::string>(all.begin(), all.end()).size() <= before[metric].size() + 1);
  }
  const int status = run_child(path, algorithm, crash_at);
  for (const auto& metric : kTimings) {
    const auto all = taken(path, metric);
    for (std::size_t i = lines[metric]; i < all.size(); ++i) {
      INFO(metric << " of " << all[i]);
      CHECK(before[metric].insert(all[i]).second);  // not stored before, and not twice now
    }
  }
  return status;
}

void check_all(const std::string& algorithm) {
  Folder folder;
  const std::string unbroken = folder / "unbroken.db";
  const int first = run_child(unbroken, algorithm, 0, folder / "count");
  INFO(content(unbroken + ".out"));
  REQUIRE(finished(first));
  const std::string expected = dump_of(unbroken);
  CHECK(expected.find("failed") != std::string::npos);
  for (const auto& metric : kTimings)
    CHECK(taken(unbroken, metric).size() == stored(unbroken, metric).size());
  const long points = std::stol(content(folder / "count"));
  REQUIRE(points > 100);

  for (long i = 0; i < 20; ++i) {
    const long at = 1 + i * (points - 1) / 19;
    const std::string path = folder / ("killed" + std::to_string(i) + ".db");
    INFO(algorithm << " killed at crash point " << at << " of " << points);
    REQUIRE(killed(run_child(path, algorithm, at)));
    const int resumed = resume(path, algorithm, 0);
    INFO(content(path + ".out"));
    REQUIRE(finished(resumed));
    CHECK(difference(expected, dump_of(path)) == "");
  }

  INFO(algorithm << " killed again and again");
  const std::string path = folder / "often.db";
  const long step = points / 8;
  int status = run_child(path, algorithm, step);
  int times = 0;
  while (killed(status)) {
    REQUIRE(++times < 100);
    status = resume(path, algorithm, step + times);
  }
  REQUIRE(finished(status));
  CHECK(times > 3);
  CHECK(difference(expected, dump_of(path)) == "");
}

}  // namespace

TEST_CASE("a process that may be killed", "[.]") {
  const std::string path = environment("MOSAIC_TEST_DB");
  REQUIRE_FALSE(path.empty());
  work(path, path);
}

TEST_CASE("a search killed at any of 20 crash points ends as one that was never killed") {
  check_all("nsga2");
}

TEST_CASE("a random search killed at any of 20 crash points ends as one that was never killed") {
  check_all("random");
}
