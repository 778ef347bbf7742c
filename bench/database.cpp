// Times a results database of 1,000,000 measurements: front of a job, constrained best, insert of a
// generation, and what else the command line asks of it.
//   bench_database [--folder DIR] [--networks 250000] [--repeat 20] [--seed 1] [--keep 1]
//   [--inserts 1]
// --inserts 1 times nothing else. --keep 1 leaves the database in the folder, and takes one that is
// there.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>

#include "mosaic/core/hash.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/analysis.hpp"
#include "mosaic/evaluators/evaluator.hpp"

namespace {

using namespace mosaic;

struct Options {
  std::string folder = std::filesystem::temp_directory_path();
  std::int64_t networks = 250'000;  ///< of which four metrics each are measured
  int repeat = 20;
  std::uint64_t seed = 1;
  bool keep = false;
  bool inserts = false;  ///< only those
};

constexpr std::int64_t kGeneration = 200;
/// Small jobs beside the large one; together they have as many networks as a fifth of it.
constexpr int kSmallJobs = 4;

core::Measurement measured(const std::string& metric, double value, const std::string& unit) {
  core::Measurement m;
  m.metric = metric;
  m.value = value;
  m.unit = unit;
  m.standard_error = 0.01 * std::abs(value);
  m.fidelity =
      metric == "latency_ms" ? "batch=1,threads=2,warmup=10,repeats=50" : "table=bench.csv";
  m.seed = 1;
  m.seconds = 0.25;
  m.device = metric == "latency_ms" ? "cpu: AMD EPYC 9554 64-Core Processor (2 threads)" : "";
  return m;
}

/// One of 5^40 networks, with a trade-off between size and accuracy, and noise.
struct Network {
  std::string arch;
  double accuracy;
  double latency;
  double params;
  double flops;
};

Network draw(core::Stream& random) {
  Network network;
  double size = 0;
  for (int gene = 0; gene < 40; ++gene) {
    const auto option = random.below(5);
    size += static_cast<double>(option);
    network.arch += (gene > 0 ? ",g" : "g") + std::to_string(gene) + "=" + std::to_string(option);
  }
  size /= 160;
  network.params = std::floor(1e6 * (0.2 + size));
  network.flops = std::floor(1e8 * (0.1 + size * size) * (1 + 0.1 * random.normal()));
  network.latency = (2 + 20 * size) * std::exp(0.15 * random.normal());
  network.accuracy = 95 - 12 * std::exp(-4 * size) + 1.0 * random.normal();
  return network;
}

/// Wall time and processor time of one run.
struct Time {
  double wall;
  double cpu;
};

/// Starts when made.
class Clock {
 public:
  Time stop() const { return {watch_.seconds(), cpu_seconds() - cpu_}; }

 private:
  static double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }
  core::Stopwatch watch_;
  double cpu_ = cpu_seconds();
};

/// A metric of networks drawn beforehand, as a table tells it.
class Told : public evaluators::Evaluator {
 public:
  Told(const std::string& metric, const std::string& unit, double Network::*value,
       const std::vector<Network>& networks)
      : metrics_{{.name = metric,
                  .unit = unit,
                  .exact = true,
                  .fidelity = measured(metric, 0, unit).fidelity}},
        value_(value),
        networks_(networks) {}
  const std::vector<evaluators::MetricInfo>& metrics() const override { return metrics_; }
  std::vector<Row> evaluate(std::span<const evaluators::Candidate> candidates,
                            const Sink& sink) override {
    std::vector<Row> result;
    for (const auto& candidate : candidates) {
      const auto& network = networks_[static_cast<std::size_t>(candidate.genotype[0])];
      result.push_back({measured(metrics_[0].name, network.*value_, metrics_[0].unit)});
      if (sink) sink(result.size() - 1, result.back());
    }
    return result;
  }

 private:
  std::vector<evaluators::MetricInfo> metrics_;
  double Network::*value_;
  const std::vector<Network>& networks_;
};

/// Writes generations as the search does (search/run.cpp): architectures and all metrics, through
/// evaluators::Cached, in one transaction (tables and counts are exact), then numbers, generation,
/// front and state in another.
class Writer {
 public:
  Writer(db::Database& database, db::Job job, std::uint64_t seed)
      : database_(database),
        job_(std::move(job)),
        random_(seed, "bench database"),
        total_(database.evaluation_count(job_.id)),
        generations_(total_ / kGeneration) {
    add("accuracy", "%", &Network::accuracy);
    add("latency_ms", "ms", &Network::latency);
    add("params", "count", &Network::params);
    add("flops", "count", &Network::flops);
  }

  void generation(std::int64_t size) {
    networks_.clear();
    std::vector<evaluators::Candidate> candidates;
    for (std::int64_t i = 0; i < size; ++i) {
      networks_.push_back(draw(random_));
      const auto& arch = networks_.back().arch;
      candidates.push_back(
          {{static_cast<int>(i)}, arch, core::Hasher().add(arch).hex().substr(0, 16), {}});
    }
    const Clock clock;
    std::vector<std::int64_t> rows;
    database_.transaction([&] {
      for (const auto& candidate : candidates)
        rows.push_back(database_.architecture(job_.space_hash, candidate.arch, candidate.hash));
      for (const auto& evaluator : evaluators_) evaluator->evaluate(candidates);
    });
    database_.transaction([&] {
      for (const auto row : rows) database_.number_evaluation(job_.id, row);
      total_ += size;
      rows.resize(std::min<std::size_t>(rows.size(), 50));
      database_.add_generation(job_.id, {++generations_, total_, 0.9, rows});
      database_.save_state(job_.id, "search", std::string(20'000, 's'));
    });
    time_ = clock.stop();
  }
  Time time() const { return time_; }

 private:
  void add(const std::string& metric, const std::string& unit, double Network::*value) {
    evaluators_.push_back(
        std::make_unique<evaluators::Cached>(std::make_unique<Told>(metric, unit, value, networks_),
                                             database_, job_.id, job_.space_hash));
  }

  db::Database& database_;
  db::Job job_;
  core::Stream random_;
  std::vector<Network> networks_;
  std::vector<std::unique_ptr<evaluators::Evaluator>> evaluators_;
  std::int64_t total_;
  std::int64_t generations_;
  Time time_{0, 0};
};

db::Job make_job(const std::string& name) {
  db::Job job;
  job.name = name;
  job.status = "finished";
  job.phase = "done";
  job.space = "bench";
  job.space_hash = "00112233445566778899aabbccddeeff";
  job.config = "[job]\nname = \"" + name + "\"\n";
  job.version = core::version();
  job.revision = core::revision();
  job.objectives = {{"accuracy", true}, {"latency_ms", false}};
  return job;
}

void line(const std::string& what, const std::vector<Time>& times, double target_ms = 0) {
  std::vector<double> wall;
  std::vector<double> cpu;
  for (const auto& time : times) {
    wall.push_back(1e3 * time.wall);
    cpu.push_back(1e3 * time.cpu);
  }
  std::sort(wall.begin(), wall.end());
  std::sort(cpu.begin(), cpu.end());
  std::printf("| %-58s | %9.2f | %8.2f | %8.2f | %9.2f | %6s |\n", what.c_str(),
              wall[wall.size() / 2], wall.front(), wall.back(), cpu[cpu.size() / 2],
              target_ms > 0 ? core::format_double(target_ms).c_str() : "");
  std::fflush(stdout);
}

std::vector<Time> timed(int repeat, const std::function<void()>& body) {
  std::vector<Time> times;
  for (int i = 0; i < repeat; ++i) {
    const Clock clock;
    body();
    times.push_back(clock.stop());
  }
  return times;
}

void time_inserts(const Options& options, const std::string& path, bool full) {
  db::Database database(path, {.survive_power_failure = full});
  // Into the large job, where blocks and indexes are large.
  Writer writer(database, *database.find_job("large"), options.seed + (full ? 100 : 200));
  std::vector<Time> times;
  for (int i = 0; i < options.repeat; ++i) {
    writer.generation(kGeneration);
    times.push_back(writer.time());
  }
  line(std::string("insert of a generation of 200, ") +
           (full ? "every commit on the disk" : "survive_power_failure = false"),
       times, 20);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--folder") options.folder = argv[i + 1];
    if (key == "--networks") options.networks = std::atoll(argv[i + 1]);
    if (key == "--repeat") options.repeat = std::atoi(argv[i + 1]);
    if (key == "--keep") options.keep = std::atoi(argv[i + 1]) != 0;
    if (key == "--inserts") options.inserts = std::atoi(argv[i + 1]) != 0;
    if (key == "--seed") options.seed = static_cast<std::uint64_t>(std::atoll(argv[i + 1]));
  }
  std::filesystem::create_directories(options.folder);
  const std::string path = options.folder + "/bench-database.db";
  const auto remove = [&] {
    for (const char* ending : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + ending);
  };
  if (!options.keep) remove();
  std::printf("Mosaic %s (%s), %s\n", core::version().c_str(), core::revision().c_str(),
              core::cpu_name().c_str());

  core::Stopwatch build;
  if (!std::filesystem::exists(path)) {
    db::Database database(path, {.survive_power_failure = false});
    const auto small = options.networks / 5 / kSmallJobs;
    for (int j = 0; j <= kSmallJobs; ++j) {
      db::Job job = make_job(j == 0 ? "large" : "small " + std::to_string(j));
      database.create_job(job);
      Writer writer(database, job, options.seed + static_cast<std::uint64_t>(j));
      const auto networks = j == 0 ? options.networks : small;
      for (std::int64_t done = 0; done < networks; done += kGeneration)
        writer.generation(std::min(kGeneration, networks - done));
    }
  }
  const db::Reader reader(path);
  const auto count = reader.query("SELECT count(*) FROM measurements").rows[0][0].text;
  std::printf("%s measurements, %.0f MB, built in %.0f s\n\n", count.c_str(),
              static_cast<double>(std::filesystem::file_size(path)) / 1e6, build.seconds());
  std::printf("| %-58s | %9s | %8s | %8s | %9s | %6s |\n|---|---:|---:|---:|---:|---:|\n",
              "operation", "median ms", "least", "most", "processor", "target");

  if (options.inserts) {
    time_inserts(options, path, true);
    time_inserts(options, path, false);
    if (!options.keep) remove();
    return 0;
  }
  const auto large = reader.job("large");
  const auto bounds = [](double latency, double accuracy) {
    return std::vector<db::Constraint>{{"latency_ms", true, latency},
                                       {"accuracy", false, accuracy}};
  };
  std::size_t members = 0;
  line("front of a job of 250,000 networks",
       timed(options.repeat, [&] { members = reader.front(large).size(); }), 100);
  line("  the same, database opened for each",
       timed(options.repeat,
             [&] {
               db::Reader fresh(path);
               fresh.front(fresh.job("large"));
             }),
       100);
  auto bounded = large;
  bounded.constraints = bounds(8, 88);
  line("  the same with two constraints", timed(options.repeat, [&] { reader.front(bounded); }),
       100);
  const auto best = [&](const char* what, double latency, double accuracy, std::size_t networks) {
    const db::Best wanted{"accuracy", true, bounds(latency, accuracy), networks};
    line(what, timed(options.repeat, [&] { reader.best(large, wanted); }), 10);
  };
  best("constrained best of 5 (loose bounds)", 12, 88, 5);
  best("constrained best of 5 (tight bound, few keep it)", 4.5, 0, 5);
  best("constrained best, none keeps the bounds", 0.1, 99.9, 1);
  line("  the same, database opened for each",
       timed(options.repeat,
             [&] {
               db::Reader fresh(path);
               fresh.best(fresh.job("large"), {"accuracy", true, bounds(12, 88), 5});
             }),
       10);
  time_inserts(options, path, true);
  time_inserts(options, path, false);
  line("opening for reading", timed(options.repeat, [&] { db::Reader fresh(path); }));
  line("opening for writing", timed(options.repeat, [&] { db::Database fresh(path); }));
  line("jobs", timed(options.repeat, [&] { reader.jobs(); }));
  line("front after 1,000 evaluations", timed(options.repeat, [&] { reader.front(large, 1000); }));
  line("front after 200,000 evaluations",
       timed(options.repeat, [&] { reader.front(large, 200'000); }));
  line("hypervolume history, 1,250 generations", timed(5, [&] { db::history(reader, large); }));
  const std::vector jobs{large, reader.job("small 1"), reader.job("small 2")};
  line("comparison of three jobs", timed(5, [&] { db::compare(reader, jobs); }));
  line("values of four metrics of every network", timed(5, [&] {
         reader.values(large.id, {"accuracy", "latency_ms", "params", "flops"});
       }));
  std::printf("\nfront: %zu networks\n", members);
  if (!options.keep) remove();
  return 0;
}
