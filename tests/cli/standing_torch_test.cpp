// How jobs stand: what they may be called, when they were killed, begun wrongly, or moved.
#include <csignal>
#include <thread>

#include <catch2/catch.hpp>

#include "job.hpp"
#include "mosaic/supernet/networks/subnet.hpp"

#include <ATen/ATen.h>

using namespace mosaic::cli::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A search over counts: done in a moment.
std::string counts(const std::string& name, const std::string& evaluations = "60") {
  return "[job]\nname = \"" + name +
         "\"\n[space]\nname = \"nasbench201\"\ncells = 1\n[[objective]]\nmetric = \"params\"\n"
         "[[objective]]\nmetric = \"flops\"\ngoal = \"max\"\n[search]\nalgorithm = \"random\"\n"
         "population = 12\nevaluations = " +
         evaluations + "\n";
}

const std::string kSupernet = R"([job]
name = "moved"
threads = 1
[space]
name = "resnet-pooling"
layers = 5
poolings = 1
width = 2
[task]
name = "fashion-mnist"
path = "pictures"
limit = 600
[supernet]
router = "plain"
epochs = 1
batch_size = 60
[[objective]]
metric = "accuracy"
images = 50
calibration = 60
[[objective]]
metric = "params"
[search]
algorithm = "random"
population = 4
evaluations = 4
)";

std::string pictures() {
  const char* data = std::getenv("MOSAIC_DATA_DIR");
  const fs::path own = data ? fs::path(data) / "fashion-mnist" : fs::path();
  return data && fs::exists(own) ? own.string() : "/usr/share/datasets/fashion-mnist";
}

}  // namespace

TEST_CASE("names that are no names of folders are refused at their line, before anything is made") {
  const Folder folder("names");
  for (const auto& [name, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "it is empty"},
           {"  ", "it is empty"},
           {".", "'.' is a folder already"},
           {"..", "'..' is a folder already"},
           {"a/b", "it has a '/'"},
           {"a\\nb", "it has a control character"},
           {"a\\u0000b", "it has a control character"},
           {"a\\u001bb", "it has a control character"},
           {std::string(201, 'n'), "it has 201 bytes, more than 200"}}) {
    CAPTURE(name);
    folder.write("job.toml", counts(name));
    const auto outcome = folder.run({"run", "job.toml", "--db", "r.db"});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.errors,
               Contains("job.toml:2: [job] name") &&
                   Contains("the name of a job becomes the name of a folder, and " + why));
    CHECK_FALSE(fs::exists(folder / "r.db"));
  }
}

TEST_CASE("other names work everywhere") {
  const Folder folder("odd_names");
  for (const std::string name :
       {"a b", "-x", "größe 猫", "x'; DROP TABLE jobs; --", "a:b*c", "<b>", "CON"}) {
    CAPTURE(name);
    folder.write("job.toml", counts(name));
    const auto run = folder.run({"run", "job.toml", "--db", "r.db"});
    INFO(run.errors);
    REQUIRE(run.status == 0);
    CHECK(folder.run({"front", "--job=" + name, "--db", "r.db"}).status == 0);
    CHECK_THAT(folder.run({"jobs", "--db", "r.db"}).output, Contains(name));
    const auto resume = folder.run({"resume", "--db", "r.db", "--", name});
    CHECK(resume.status == 0);
    CHECK_THAT(resume.errors, Contains("is finished"));
    CHECK(folder.run({"report", "--job=" + name, "--db", "r.db", "--out", "r.html"}).status == 0);
    CHECK_THAT(slurp(folder / "r.html"), !Contains("<b>"));
  }
}

TEST_CASE("a killed job is not said to be running, and goes on") {
  const Folder folder("killed");
  folder.write("job.toml", counts("-k"));
  folder.write("other.toml", counts("other"));
  const auto killed = folder.run({"run", "job.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "15"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  {
    const mosaic::db::Reader reader((folder / "r.db").string());
    REQUIRE(reader.job("-k").status == "running");  // as the process left it
  }
  const auto jobs = folder.run({"jobs", "--db", "r.db"});
  CHECK_THAT(jobs.output, !Contains("running"));
  CHECK_THAT(jobs.output, Contains("interrupted") &&
                              Contains("its process ended without a word (killed, or the machine "
                                       "went down); go on with: mosaic resume --db r.db -- '-k'"));
  // Who writes next marks it.
  REQUIRE(folder.run({"run", "other.toml", "--db", "r.db"}).status == 0);
  {
    const mosaic::db::Reader reader((folder / "r.db").string());
    CHECK(reader.job("-k").status == "interrupted");
  }
  REQUIRE(folder.run({"resume", "--db", "r.db", "--", "-k"}).status == 0);
  CHECK_THAT(folder.run({"front", "--job=-k", "--db", "r.db"}).output, Contains("params"));
}

TEST_CASE("a closed terminal stops a job as Ctrl-C does") {
  const Folder folder("hangup");
  folder.write("job.toml", counts("h", "15000"));
  const pid_t child = folder.start({"run", "job.toml", "--db", "r.db"});
  while (slurp(folder / "stderr.txt").find("searching") == std::string::npos && kill(child, 0) == 0)
    std::this_thread::yield();
  kill(child, SIGHUP);
  const auto stopped = folder.finish(child);
  INFO(stopped.errors);
  REQUIRE(stopped.status == 1);
  CHECK_THAT(stopped.errors, Contains("go on with: mosaic resume h --db r.db"));
  CHECK_THAT(folder.run({"jobs", "--db", "r.db"}).output, Contains("interrupted"));
}

TEST_CASE("a job that came to no first step begins anew with its corrected file") {
  const Folder folder("anew");
  folder.write("job.toml", counts("a", "50"));
  const auto killed = folder.run({"run", "job.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", "6"}});
  REQUIRE(killed.status == 128 + SIGKILL);
  REQUIRE(mosaic::db::Reader((folder / "r.db").string()).jobs().size() == 1);
  folder.write("job.toml", counts("a", "40"));
  const auto anew = folder.run({"run", "job.toml", "--db", "r.db"});
  INFO(anew.errors);
  REQUIRE(anew.status == 0);
  CHECK_THAT(anew.errors,
             Contains("job 'a' had not come to its first step (interrupted): it begins "
                      "anew with job.toml as it is now"));
  const mosaic::db::Reader reader((folder / "r.db").string());
  CHECK(reader.evaluation_count(reader.job("a").id) == 40);

  // From then on its settings stay.
  std::string changed = counts("a", "30");
  changed.replace(changed.find("cells = 1\n"), 10, "");
  folder.write("job.toml", changed);
  const auto refused = folder.run({"run", "job.toml", "--db", "r.db"});
  CHECK(refused.status == 2);
  CHECK_THAT(
      refused.errors,
      Contains("was begun with other settings than job.toml has now: search.evaluations (40, "
               "now 30), space.cells (1, now absent)") &&
          Contains("give the changed job another name (start_job = \"a\" in its [search] "
                   "begins from this one's front)"));
}

TEST_CASE("results that were moved are found, or missed by name") {
  need_data();
  const Folder folder("moved");
  fs::create_directories(folder / "old");
  fs::create_directories(folder / "new");
  fs::create_directory_symlink(pictures(), folder / "pictures");
  folder.write("job.toml", kSupernet);
  const auto run = folder.run({"run", "job.toml", "--db", "old/r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  REQUIRE(folder.run({"extract", "--db", "old/r.db", "--out", "net"}).status == 0);
  fs::rename(folder / "old/r.db", folder / "new/r.db");
  fs::rename(folder / "old", folder / "kept");

  const auto lost = folder.run({"extract", "--db", "new/r.db", "--out", "other"});
  CHECK(lost.status == 1);
  CHECK_THAT(lost.errors, Contains("was trained, and its file is not there: neither") &&
                              Contains("old/r-files/moved/supernet.safetensors nor") &&
                              Contains("new/r-files/moved/supernet.safetensors exists") &&
                              Contains("copy the folder of the job too") && !Contains("resume"));
  fs::rename(folder / "kept/r-files", folder / "new/r-files");
  REQUIRE(folder.run({"extract", "--db", "new/r.db", "--out", "other"}).status == 0);

  // The network names its data from wherever it is asked.
  CHECK_THAT(slurp(folder / "net/config.json"), Contains((folder / "pictures").string()));
  fs::remove(folder / "pictures");
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"extract", "--db", "new/r.db", "--out", "third"},
           {"eval", "net"},
           {"finetune", "net", "--epochs", "1", "--out", "tuned"}}) {
    CAPTURE(command[0]);
    auto outcome = folder.run(command);
    CHECK(outcome.status != 0);
    CHECK_THAT(outcome.errors, Contains((folder / "pictures").string()) && Contains("--path"));
    auto with_path = command;
    with_path.insert(with_path.end(), {"--path", pictures()});
    outcome = folder.run(with_path);
    INFO(outcome.errors);
    CHECK(outcome.status == 0);
  }

  // Fine-tuning refuses what is no number of its kind, and writes nothing that has diverged.
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"--learning-rate", "-1"},
                                                        {"--learning-rate", "nan"},
                                                        {"--learning-rate", "0"},
                                                        {"--epochs", "-1"},
                                                        {"--epochs", "1.5"},
                                                        {"--batch-size", "1"}}) {
    CAPTURE(option, value);
    const auto outcome = folder.run({"finetune", "net", option, value, "--out", "wrong"});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.errors, Contains(option) && Contains("'" + value + "' is not a"));
  }
  auto broken = mosaic::supernet::Subnet::load((folder / "net").string());
  for (const auto& [slot, weight] : broken.weights()) weight.mul_(1e30);
  broken.save((folder / "broken").string());
  const auto diverged =
      folder.run({"finetune", "broken", "--epochs", "1", "--path", pictures(), "--out", "nothing"});
  CHECK(diverged.status == 1);
  CHECK_THAT(diverged.errors, Contains("not finite") || Contains("not a finite number"));
  CHECK_FALSE(fs::exists(folder / "nothing/config.json"));
}

TEST_CASE("quiet means quiet, and a file that may not grow is an error of its own") {
  const Folder folder("limits");
  folder.write("job.toml", counts("q"));
  const auto quiet = folder.run({"-q", "run", "job.toml", "--db", "r.db"});
  CHECK(quiet.status == 0);
  CHECK(quiet.errors.empty());
  const std::string program = std::getenv("MOSAIC_BINARY");
  const std::string limited = "cd " + (folder / "").string() + " && (ulimit -f 100; " + program +
                              " report --db r.db --out big.html) 2> errors.txt";
  const int status = std::system(limited.c_str());
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK_THAT(slurp(folder / "errors.txt"), Contains("File too large") && Contains("ulimit -f"));
  CHECK_FALSE(fs::exists(folder / "big.html"));
}

TEST_CASE("a working folder that was removed is named as the cause") {
  const Folder folder("gone");
  const std::string program = std::getenv("MOSAIC_BINARY");
  const std::string command = "mkdir " + (folder / "sub").string() + " && cd " +
                              (folder / "sub").string() + " && rmdir " + (folder / "sub").string() +
                              " && " + program + " spaces 2> " + (folder / "errors.txt").string();
  const int status = std::system(command.c_str());
  CHECK(WEXITSTATUS(status) == 1);
  CHECK_THAT(slurp(folder / "errors.txt"),
             Contains("mosaic: the working folder does not exist any more"));
}
