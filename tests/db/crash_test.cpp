// Killed at any instant, the database holds what was committed.

#include <atomic>
#include <thread>

#include "child.hpp"
#include "fixtures.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;

namespace {

void check_sound(const Reader& reader) {
  CHECK(reader.query("PRAGMA integrity_check").rows[0][0].text == "ok");
  CHECK(reader.query("PRAGMA foreign_key_check").rows.empty());
}

}  // namespace

TEST_CASE("kill -9 loses no committed measurement") {
  const Folder folder;
  const std::string path = folder.file();
  std::size_t total = 0;
  for (int round = 0; round < 8; ++round) {
    std::size_t announced = 0;
    {
      Child child([&](int out) {
        Database database(path, {.survive_power_failure = round % 4 == 0});
        Job job = sample_job("first");
        if (const auto found = database.find_job("first"))
          job = *found;
        else
          database.create_job(job);
        const auto id = add_network(database, job, "a");
        for (auto i = database.measurements(job.id, "accuracy").size();; ++i) {
          database.add_measurement(job.id, id, measured("accuracy", static_cast<double>(i)));
          Child::say(out, ".");
        }
      });
      announced = child.hear(static_cast<std::size_t>(5 + 17 * round)).size();
      child.kill();
      announced += child.hear_all().size();
    }
    const Database database(path);
    const auto kept = database.measurements(database.job().id, "accuracy");
    CHECK(announced > 0);
    // The last one may have been committed without having been announced.
    CHECK(kept.size() >= total + announced);
    CHECK(kept.size() <= total + announced + 1);
    std::size_t in_order = 0;
    for (const auto& timed : kept)
      in_order += timed.measurement.value == static_cast<double>(in_order) ? 1 : 0;
    CHECK(in_order == kept.size());
    check_sound(database);
    total = kept.size();
  }
}

namespace {

/// Idempotent steps, as a job that can be resumed has them.
void scripted_work(const std::string& path) {
  Database database(path, {.survive_power_failure = false});
  Job job = sample_job("first");
  if (const auto found = database.find_job("first"))
    job = *found;
  else
    database.create_job(job);
  for (int i = 0; i < 3; ++i) {
    const std::string arch = "n" + std::to_string(i);
    const auto id = database.architecture(job.space_hash, arch, "h" + arch);
    for (const char* metric : {"accuracy", "latency_ms"})
      if (!database.find_measurement(job.id, job.space_hash, "h" + arch, metric, "test"))
        database.add_measurement(job.id, id, measured(metric, i));
    database.number_evaluation(job.id, id);
  }
  database.transaction([&] {
    database.add_generation(job.id, {0, 3, 1.0, {1, 2}});
    database.save_state(job.id, "search", "state");
  });
  job.status = "finished";
  database.update_job(job);
}

/// Runs scripted_work() in a fresh process that dies at the `crash_at`-th crash point (0: never).
/// True if it came to its end.
bool work_in_a_process(const std::string& path, int crash_at) {
  const int pid = ::fork();
  if (pid == 0) {
    ::setenv("MOSAIC_DB_TEST_WORK", path.c_str(), 1);
    ::setenv("MOSAIC_CRASH_AT", std::to_string(crash_at).c_str(), 1);
    if (crash_at == 0) ::unsetenv("MOSAIC_CRASH_AT");
    ::freopen("/dev/null", "w", stdout);
    ::freopen("/dev/null", "w", stderr);
    ::execl("/proc/self/exe", "test_db", "scripted work for the crash points", nullptr);
    ::_exit(3);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  const bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  CHECK((killed || finished));
  return finished;
}

}  // namespace

TEST_CASE("scripted work for the crash points", "[.child]") {
  if (const char* path = std::getenv("MOSAIC_DB_TEST_WORK")) scripted_work(path);
  SUCCEED("only works where another test says so");
}

TEST_CASE("work killed before and after each commit and then repeated ends as unbroken work does") {
  const Folder unbroken;
  REQUIRE(work_in_a_process(unbroken.file(), 0));
  const auto content = [](const std::string& path) {
    const Reader reader(path);
    check_sound(reader);
    std::string text;
    for (const char* sql :
         {"SELECT name, status, seed FROM jobs",
          "SELECT id, space_hash, arch, hash FROM architectures",
          "SELECT id, job, architecture, metric, value, status FROM measurements",
          "SELECT job, number, architecture FROM evaluations",
          "SELECT job, number, evaluations, hypervolume FROM generations",
          "SELECT * FROM generation_front", "SELECT job, phase, state FROM states"})
      for (const auto& row : reader.query(sql).rows)
        for (const auto& cell : row) text += cell.text + "|";
    return text;
  };
  const auto expected = content(unbroken.file());
  int crash_at = 1;
  for (;; ++crash_at) {
    const Folder folder;
    const bool finished = work_in_a_process(folder.file(), crash_at);
    if (finished) break;
    REQUIRE(work_in_a_process(folder.file(), 0));
    CHECK(content(folder.file()) == expected);
  }
  // The schema, the job, 3 networks (one row, two measurements, one number each), state, end.
  CHECK(crash_at - 1 == 2 * (1 + 1 + 3 * 4 + 1 + 1));
}

TEST_CASE("eight readers see whole transactions while a writer writes") {
  const Folder folder;
  const std::string path = folder.file();
  Database database(path, {.survive_power_failure = false});
  Job job = sample_job("first");
  database.create_job(job);
  constexpr int kTransactions = 150;
  std::atomic<bool> finished = false;
  std::atomic<int> torn = 0;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 8; ++r)
    readers.emplace_back([&, r] {
      const Reader reader(path);
      bool last = false;
      do {
        last = finished;
        if (r % 2 == 0) {
          // Each transaction adds one network that dominates and one that it dominates.
          for (const auto& network : reader.front(job))
            torn +=
                network.metrics.at("accuracy").value != network.metrics.at("latency_ms").value * -1;
        } else {
          const auto rows = reader.query("SELECT count(*) FROM measurements").rows;
          torn += std::stoi(rows[0][0].text) % 4 != 0;
        }
        ++reads;
      } while (!last);
    });
  for (int i = 0; i < kTransactions; ++i)
    database.transaction([&] {
      for (int k = 0; k < 2; ++k) {
        const auto id = add_network(database, job, "n" + std::to_string(2 * i + k));
        database.add_measurement(job.id, id, measured("accuracy", 2 * i + k));
        database.add_measurement(job.id, id, measured("latency_ms", -(2 * i + k)));
      }
    });
  finished = true;
  for (auto& reader : readers) reader.join();
  CHECK(torn == 0);
  CHECK(reads >= 8);
  CHECK(database.front(job).size() == 1);
}
