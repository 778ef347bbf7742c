// Identities that stand in databases and checkpoints. Those here were written by the version before
// settings were listed in one place.
#include <catch2/catch.hpp>

#include "cli/job.hpp"
#include "mosaic/jobs/workplace.hpp"

using namespace mosaic;

namespace {

std::string job(const std::string& name, const std::string& task, const std::string& supernet) {
  return "[job]\nname = \"" + name +
         "\"\nseed = 3\nthreads = 1\n[space]\nname = \"resnet-pooling\"\nlayers = "
         "5\npoolings = 1\nwidth = 2\n[task]\nname = \"fashion-mnist\"\n" +
         task + "[supernet]\n" + supernet +
         "[[objective]]\nmetric = \"accuracy\"\nimages = 20\ncalibration = 40\n"
         "[[objective]]\nmetric = \"params\"\n[search]\npopulation = 8\nevaluations = 4\n";
}

jobs::JobFile read(const std::string& text) { return jobs::JobFile::from_text(text, "job.toml"); }

std::string training_identity(const std::string& text) {
  return jobs::Workplace::open(read(text), {}, "cpu").training_identity();
}

struct Former {
  std::string name, task, supernet;
  std::string training;  ///< identity
  std::string file;      ///< hash
};
const std::vector<Former>& former() {
  static const std::vector<Former> cases = {
      {"plain", "limit = 200\n",
       "router = \"plain\"\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "7aa3fb64b21c624c6725d35fdf768194", "348ed6b9f581e3193ba3cea9b4445cea"},
      {"layer", "limit = 200\n",
       "router_hidden = 8\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "dbcca7c9e9f4882b3a6161d0996a2b18", "15641c3874d950466057252f0278b861"},
      {"neuron", "limit = 200\n",
       "router = \"neuron-wise\"\n"
       "experts = 3\n"
       "router_hidden = 8\n"
       "mixed_share = 0.5\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "15bd1fcf16e7ddd76f62dd6eeafa94ca", "4c42a77e29439bd1381292d3bf5ef664"},
      {"balanced", "limit = 200\n",
       "router = \"balanced\"\n"
       "experts = 3\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "10f36af6a12d9c47f94c9fef665a37b7", "9e3f0012eecf243ed39405eb0b8fcefd"},
      {"random", "limit = 200\n",
       "router = \"partition\"\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "65ef5433f8f628f05f48800bdea1ecea", "a790b74c00bf7941605a9d37170ff5e3"},
      {"gene", "limit = 200\n",
       "router = \"partition\"\n"
       "split = \"gene=poolings\"\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "eacbf77fffd13f8e3186dbae14782c36", "b7b1a6f3309680bba846f317699b5442"},
      {"exh", "limit = 200\n",
       "router = \"partition\"\n"
       "split = \"exhaustive\"\n"
       "split_at = [0.5]\n"
       "restart = true\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "02c66908e26609af3c90b0354cd0fe36", "0f99fff3d30c2a0491a8e1974ecead15"},
      {"grown2", "limit = 200\n",
       "router = \"grown\"\n"
       "grow_at = [0.5]\n"
       "budget = 2\n"
       "grow_slots = \"random\"\n"
       "grow_questions = \"random\"\n"
       "grow_score = \"cosine\"\n"
       "hard_routing = true\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "f9d4e523c3c0bac185d88537bd24e308", "304b7c90b88b6871a236e182a75049ab"},
      {"adamw", "limit = 200\nvalidation = 0.2\naugment = false\n",
       "router = \"plain\"\n"
       "epochs = 2\n"
       "batch_size = 40\n"
       "optimizer = \"adamw\"\n"
       "sampler = \"sandwich(random=2)\"\n"
       "weight_decay = 0.001\n"
       "warmup = 0.1\n"
       "label_smoothing = 0.1\n"
       "clip = 1\n"
       "precision = \"float32\"\n"
       "replay = false\n"
       "checkpoint_minutes = 9\n",
       "ae8824408ca0b5c94ead08fb56be6926", "38a49af929e772a1fb978fb6cda034f7"},
      {"momentum", "limit = 200\n",
       "router = \"plain\"\n"
       "momentum = 0.5\n"
       "learning_rate = 0.01\n"
       "epochs = 1\n"
       "batch_size = 50\n",
       "b4fe7add576a617ca4439638e708d6f7", "badde959655b49960036ad901e46c7f7"},
      {"gradientb", "limit = 1000\n",
       "router = \"partition\"\n"
       "split = \"gradient\"\n"
       "split_at = [0.5]\n"
       "split_repeats = 2\n"
       "epochs = 2\n"
       "batch_size = 50\n",
       "a29cbe13f2642820e598fa5d3c62d97d", "fd9f134bb7918350bec354e0d97ff7b0"},
  };
  return cases;
}

/// The lines under the names of today.
std::string renamed(std::string supernet) {
  for (const auto& [key, value] : jobs::former_keys()) {
    const auto at = supernet.find(value + " = ");
    if (at != std::string::npos) supernet.replace(at, value.size(), key.substr(key.rfind('.') + 1));
  }
  return supernet;
}

}  // namespace

TEST_CASE(
    "a job file is known by the hash that earlier versions gave it, whatever its keys' names") {
  for (const auto& one : former()) {
    CAPTURE(one.name);
    CHECK(read(job(one.name, one.task, one.supernet)).hash == one.file);
    CHECK(read(job(one.name, one.task, renamed(one.supernet))).hash == one.file);
  }
}

TEST_CASE("a training is known by the identity that earlier versions gave it") {
  cli::test::need_data();
  for (const auto& one : former()) {
    CAPTURE(one.name);
    CHECK(training_identity(job(one.name, one.task, one.supernet)) == one.training);
    CHECK(training_identity(job(one.name, one.task, renamed(one.supernet))) == one.training);
  }
}

TEST_CASE("epochs and batch size follow the size of the data where a new job leaves them out") {
  cli::test::need_data();
  const cli::test::Folder folder("by_data");
  const auto opened = [&](const std::string& task, const std::string& supernet) {
    folder.write("job.toml", job("new", task, supernet));
    const auto file = jobs::JobFile::from_file((folder / "job.toml").string());
    return jobs::Workplace::open(file, {}, "cpu").file.train;
  };
  // A tenth is the validation split.
  const auto few = opened("limit = 1000\n", "");
  CHECK(few.batch_size == 32);
  CHECK(few.epochs == 36);  // of 28 steps
  CHECK(opened("limit = 1000\n", "batch_size = 90\n").epochs == 100);
  const auto given = opened("limit = 1000\n", "epochs = 2\n");
  CHECK(given.epochs == 2);
  const auto many = opened("", "");
  CHECK(many.batch_size == 128);
  CHECK(many.epochs == 4);

  // Jobs that earlier versions began keep their defaults.
  const auto text = job("old", "limit = 1000\n", "");
  CHECK(training_identity(text) ==
        training_identity(job("old", "limit = 1000\n", "epochs = 4\nbatch_size = 128\n")));
}

TEST_CASE("what changes no result is not in the identity of a training") {
  cli::test::need_data();
  const auto& plain = former().front();
  CHECK(training_identity(job("other", plain.task,
                              plain.supernet + "replay = false\nautotune = true\n"
                                               "checkpoint_minutes = 9\n")) == plain.training);
  CHECK(training_identity(job("other", plain.task, plain.supernet + "clip = 4\n")) !=
        plain.training);
}
