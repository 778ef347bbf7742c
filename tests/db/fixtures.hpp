/// A folder that goes away with the test, and a database with something in it.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::db::testing {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mosaic-db-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name = "results.db") const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// what() of the core::Error that `action` throws; "" if it throws none.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return {};
}

inline core::Measurement measured(const std::string& metric, double value,
                                  const std::string& fidelity = "test") {
  core::Measurement m;
  m.metric = metric;
  m.value = value;
  m.unit = metric == "accuracy" ? "%" : metric == "latency_ms" ? "ms" : "count";
  m.standard_error = 0.125;
  m.fidelity = fidelity;
  m.seed = 0xffffffffffffffffu;
  m.seconds = 0.5;
  m.device = "cpu: test";
  return m;
}

inline Job sample_job(const std::string& name, std::vector<Objective> objectives = {
                                                   {"accuracy", true}, {"latency_ms", false}}) {
  Job job;
  job.name = name;
  job.status = "running";
  job.phase = "search";
  job.config = "[job]\nname = \"" + name + "\"\n";
  job.config_hash = "c0ffee";
  job.config_path = "job.toml";
  job.seed = 18446744073709551615u;
  job.space = "resnet-elastic";
  job.space_hash = "5bace";
  job.task = "fashion-mnist";
  job.data_checksum = "da7a";
  job.device = "cpu: test";
  job.threads = 2;
  job.version = "0.1.0";
  job.revision = "abcdef012345";
  job.libraries = "libtorch 2.11.0, pagmo 2.18";
  job.folder = "models";
  job.objectives = std::move(objectives);
  return job;
}

/// A new database with one job, for TEST_CASE_METHOD.
struct OneJob {
  const Folder folder;
  Database database{folder.file()};
  Job job = sample_job("first");
  OneJob() { database.create_job(job); }
};

inline std::int64_t add_network(Database& database, const Job& job, const std::string& arch,
                                bool number = true) {
  const auto id = database.architecture(job.space_hash, arch, "hash-of-" + arch);
  if (number) database.number_evaluation(job.id, id);
  return id;
}

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void spill(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// Root of the source tree, where the tests find documentation and stored data.
inline std::string source_dir() {
  if (const char* given = std::getenv("MOSAIC_SOURCE_DIR")) return given;
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().string();
}

}  // namespace mosaic::db::testing
