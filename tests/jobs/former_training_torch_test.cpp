// Supernets and networks that an earlier version trained.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "cli/program.hpp"
#include "mosaic/jobs/extract.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "sql.hpp"

using namespace mosaic;
using cli::test::Folder;
using cli::test::slurp;

namespace {

namespace fs = std::filesystem;

/// Database, images and checkpoints of the two jobs, as if they had begun in this folder, on this
/// machine.
std::string former_jobs(const Folder& folder, const std::string& data) {
  const std::string path = (folder / "jobs.db").string();
  fs::copy(data + "images", folder / "images", fs::copy_options::recursive);
  test::execute(path, slurp(data + "jobs.sql"));
  supernet::set_threads(1);  // as the jobs
  for (const std::string job : {"mixed", "grown"}) {
    const auto files = folder / ("jobs-files/" + job);
    fs::create_directories(files);
    fs::copy_file(data + job + ".safetensors", files / "supernet.safetensors");
    test::execute(path, "UPDATE jobs SET config_path = '" + (folder / (job + ".toml")).string() +
                            "', folder = '" + files.string() + "', device = '" +
                            supernet::describe_device("cpu") + "' WHERE name = '" + job + "'");
  }
  { const db::Database brought_up_to_date(path); }
  return path;
}

/// The largest difference of two networks' weights, and of their statistics of normalisation.
double difference(const std::string& one, const std::string& other) {
  const auto a = supernet::load_tensors(one + "/model.safetensors").tensors;
  const auto b = supernet::load_tensors(other + "/model.safetensors").tensors;
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (const auto& [name, tensor] : a) {
    INFO(name);
    REQUIRE(b.contains(name));
    REQUIRE(tensor.sizes() == b.at(name).sizes());
    most = std::max(most, (tensor - b.at(name)).abs().max().item<double>());
  }
  return most;
}

}  // namespace

TEST_CASE("supernets that an earlier version trained are extracted, and trained to their end") {
  const Folder folder("former-training");
  const std::string data =
      std::string(std::getenv("MOSAIC_SOURCE_DIR")) + "/tests/jobs/data/trained/";
  const auto path = former_jobs(folder, data);
  const auto extracted = [&](const std::string& job) {
    const auto out = (folder / (job + "-out")).string();
    jobs::extract_subnet(
        {.db = path, .job = job, .selection = {}, .arch = "1-3", .path = {}, .out = out});
    return difference(out, data + job + "-model");
  };
  CHECK(extracted("mixed") == 0);

  const auto run = jobs::resume_job(path, "grown");
  CHECK(run.job.status == "finished");
  CHECK(extracted("grown") < 1e-4);
}

TEST_CASE("networks that an earlier version extracted are evaluated") {
  const Folder folder("former-model");
  const std::string data =
      std::string(std::getenv("MOSAIC_SOURCE_DIR")) + "/tests/jobs/data/trained/";
  const auto seen = jobs::eval_subnet({.folder = data + "mixed-model",
                                       .split = "validation",
                                       .path = data + "images",
                                       .device = "cpu",
                                       .db = {},
                                       .outputs = {}});
  CHECK(seen.arch == "1-3");
  REQUIRE_FALSE(seen.figures.empty());
  CHECK(seen.figures[0].value == 100);
}
