// What --dry-run says of jobs that have begun: what is left, and what `run` would do.
#include <signal.h>

#include <catch2/catch.hpp>

#include "job.hpp"
#include "table_job.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;

namespace {

/// A folder with a job file over a table.
struct Planned : Folder {
  explicit Planned(const std::string& name) : Folder(name) {
    write("t.csv", table());
    write("j.toml", kTableJob);
  }
  Outcome dry(const std::string& command, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{command, "j.toml", "--db", "r.db", "--dry-run"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

const std::string kTrained = R"([job]
name = "j"
threads = 1
[space]
name = "resnet-pooling"
layers = 8
poolings = 2
width = 2
[task]
name = "fashion-mnist"
limit = 600
[supernet]
router = "plain"
epochs = 3
batch_size = 60
[[objective]]
metric = "accuracy"
images = 50
calibration = 60
[[objective]]
metric = "latency_ms"
samples = 12
repeats = 5
warmup = 1
[search]
algorithm = "random"
population = 4
evaluations = 8
)";

const std::string kRanked = R"([job]
name = "j"
threads = 1
[space]
name = "resnet-pooling"
layers = 5
poolings = 1
width = 2
[task]
name = "fashion-mnist"
limit = 600
validation = 0.5
[supernet]
router = "plain"
epochs = 2
batch_size = 50
[rank]
supernets = 2
images = 200
calibration = 256
[rank.truth]
seeds = 2
epochs = 1
batch_size = 50
)";

}  // namespace

TEST_CASE("a dry run of a changed job that came to no first step says that it begins anew") {
  const Planned folder("plan_anew");
  const auto killed = folder.run({"run", "j.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "6"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  const std::vector<std::string> changed{"--set", "search.population=12"};
  const auto dry = folder.dry("run", changed);
  INFO(dry.errors);
  CHECK(dry.status == 0);
  CHECK_THAT(dry.output, Contains("'j' begins anew in r.db: its file was changed before it came to "
                                  "its first step") &&
                             Contains("12 networks by nsga2"));
  CHECK(folder.run({"run", "j.toml", "--db", "r.db", changed[0], changed[1]}).status == 0);
  CHECK(folder.dry("run").status == 2);  // with the file as it was, now that the job has begun
}

TEST_CASE("a dry run of a begun job needs the job it began from no more than the job itself does") {
  const Planned folder("plan_start");
  const auto all = [](std::vector<std::string> words) {
    for (const auto* word : {"--db", "r.db", "--set", "job.name=k", "--set", "search.start_job=j"})
      words.emplace_back(word);
    return words;
  };
  REQUIRE(folder.run({"run", "j.toml", "--db", "r.db"}).status == 0);
  const auto killed = folder.run(all({"run", "j.toml"}), {{"MOSAIC_CRASH_AT", "60"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  REQUIRE(folder.run({"jobs", "--db", "r.db", "--delete", "j"}).status == 0);
  const auto dry = folder.run(all({"run", "j.toml", "--dry-run"}));
  INFO(dry.errors);
  CHECK(dry.status == 0);
  CHECK_THAT(dry.output, Contains("'k' goes on in r.db"));
  CHECK(folder.run(all({"run", "j.toml"})).status == 0);
  const auto other =
      folder.run({"run", "j.toml", "--dry-run", "--db", "r.db", "--set", "search.start_job=j"});
  CHECK(other.status == 2);  // a new one needs it
  CHECK_THAT(other.errors, Contains("start_job = \"j\": r.db holds no job 'j'"));
}

TEST_CASE("a dry run counts what is left of training and measuring, and all phases") {
  need_data();
  const Planned folder("plan_left");
  folder.write("j.toml", kTrained);
  const auto first = folder.dry("run");
  INFO(first.errors);
  REQUIRE(first.status == 0);
  CHECK_THAT(first.output,
             Contains("training      27 steps of 60 examples") &&
                 Contains("measuring     12 networks for latency_ms: at most about") &&
                 Contains("re-measuring  what the front owes to predictions of latency_ms, 8 "
                          "networks at most: at most about"));

  // Killed ever later, until a checkpoint is there.
  const auto killed_at = [&](const std::string& command, int at) {
    return folder
        .run({command, "j.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", std::to_string(at)}})
        .status;
  };
  std::string left;
  for (int at = 10; left.find("more steps") == std::string::npos; at += 5) {
    REQUIRE(killed_at("train", at) == 128 + SIGKILL);
    left = folder.dry("run").output;
  }
  CHECK_THAT(left, Contains("training      18 more steps of 60 examples") ||
                       Contains("training      9 more steps of 60 examples"));
  REQUIRE(folder.run({"train", "j.toml", "--db", "r.db"}).status == 0);
  const auto trained = folder.dry("run");
  INFO(trained.errors);
  CHECK_THAT(trained.output, Contains("training      done: ") && !Contains("memory") &&
                                 Contains("measuring     12 networks for latency_ms"));
  for (int at = 16; left.find("more networks for latency_ms") == std::string::npos; at += 4) {
    REQUIRE(killed_at("measure", at) == 128 + SIGKILL);
    left = folder.dry("run").output;
  }
  REQUIRE(folder.run({"measure", "j.toml", "--db", "r.db"}).status == 0);
  const auto measured = folder.dry("run");
  INFO(measured.errors);
  CHECK_THAT(measured.output, Contains("measuring     done: 12 networks for latency_ms") &&
                                  Contains("re-measuring  what the front owes"));
  std::filesystem::remove(folder / "r-files/j/supernet.safetensors");
  const auto lost = folder.dry("run");
  CHECK(lost.status == 1);
  CHECK_THAT(lost.errors, Contains("the supernet of job 'j' is gone"));
}

TEST_CASE(
    "a dry run of a ranking counts what is left, and one that is finished has nothing to do") {
  need_data();
  const Planned folder("plan_rank");
  folder.write("j.toml", kRanked);
  const auto first = folder.dry("rank");
  INFO(first.errors);
  REQUIRE(first.status == 0);
  CHECK_THAT(first.output,
             Contains("supernets      12 steps of 50 examples") &&
                 Contains("scoring        4 networks by 2 supernets: at most about") &&
                 Contains("alone          8 times 12 steps of 50 examples") &&
                 Contains("scoring alone  8 networks: at most about"));
  REQUIRE(folder.run({"rank", "j.toml", "--db", "r.db", "--only", "truth"}).status == 0);
  const auto truths = folder.dry("rank");
  CHECK_THAT(truths.output, Contains("alone      done: every network was trained") &&
                                Contains("supernets  12 steps of 50 examples") &&
                                !Contains("scoring alone"));
  REQUIRE(folder.run({"rank", "j.toml", "--db", "r.db", "--only", "scores"}).status == 0);
  CHECK_THAT(folder.dry("rank").output, Contains("supernets  done: every network is scored"));
  REQUIRE(folder.run({"rank", "j.toml", "--db", "r.db"}).status == 0);
  CHECK_THAT(folder.dry("rank").output,
             Contains("'j' is finished in r.db: there is nothing to do") && !Contains("alone"));
}
