// The command line as a user meets it: real jobs on a few hundred real images, and wrong usage.
#include <signal.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "job.hpp"
#include "needs.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;
using nlohmann::json;

namespace {

const std::string kJob = R"([job]
name = "tiny"
threads = 1

[space]
name = "resnet-elastic"
width = 4
blocks = 1

[task]
name = "fashion-mnist"
limit = 600

[supernet]
sharing = "layer-wise"
copies = 2
router_hidden = 8
epochs = 1
batch_size = 60

[[objective]]
metric = "accuracy"
images = 50
calibration = 60

[[objective]]
metric = "params"

[search]
population = 8
evaluations = 20
)";

const std::string kLatency = R"(
[[objective]]
metric = "latency_ms"
samples = 12
repeats = 5
warmup = 1
)";

}  // namespace

TEST_CASE("a whole job: run, front, query, extract, eval, finetune, report") {
  need_data();
  const Folder folder("whole");
  folder.write("job.toml", kJob + kLatency);
  const auto run = folder.run({"run", "job.toml", "--db", "r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  REQUIRE_THAT(run.errors, Contains("training 9 steps of 60 examples: about"));
  REQUIRE_THAT(run.errors, Contains("latency_ms predictor 'ridge' on records it did not see"));
  REQUIRE_THAT(run.errors, Contains("20 networks in"));
  REQUIRE_THAT(run.output, Contains("predicted latency ms") && Contains("measured latency ms"));
  REQUIRE_THAT(slurp(folder / "r-tiny.html"), Contains("tiny"));

  const auto front = json::parse(folder.run({"front", "--db", "r.db", "--json"}).output);
  REQUIRE_FALSE(front.empty());
  for (const auto& network : front) {
    REQUIRE(network.at("metrics").at("accuracy").is_number());
    REQUIRE(network.at("metrics").at("latency_ms").get<double>() > 0);
    REQUIRE(network.at("predicted").at("latency_ms").is_number());
    REQUIRE(network.at("evaluation").get<int>() >= 1);
  }
  const auto query =
      folder.run({"query", "--db", "r.db", "SELECT count(*) AS n FROM evaluations", "--json"});
  REQUIRE(json::parse(query.output)[0]["n"] == 20);
  REQUIRE(folder.run({"query", "--db", "r.db", "DELETE FROM measurements"}).status == 2);

  const auto extract =
      folder.run({"extract", "--db", "r.db", "--best", "accuracy", "--out", "net"});
  INFO(extract.errors);
  REQUIRE(extract.status == 0);
  REQUIRE_THAT(extract.output, Contains("it computes what the supernet computes"));
  const auto eval = folder.run({"eval", "net", "--split", "test", "--db", "r.db", "--json"});
  INFO(eval.errors);
  REQUIRE(eval.status == 0);
  REQUIRE(json::parse(eval.output)["examples"] == 10000);
  const auto noted =
      folder.run({"query", "--db", "r.db",
                  "SELECT value FROM measurements WHERE metric = 'test_accuracy'", "--json"});
  REQUIRE(json::parse(noted.output)[0]["value"] == json::parse(eval.output)["accuracy"]);
  const auto finetune = folder.run({"finetune", "net", "--epochs", "1", "--out", "tuned"});
  REQUIRE(finetune.status == 0);
  REQUIRE_THAT(finetune.output, Contains("validation accuracy") && Contains("written to tuned"));
  REQUIRE_THAT(slurp(folder / "tuned/config.json"), Contains("finetune(1 epochs)"));

  SECTION("and what comes after it is noticed") {
    const auto again = folder.run({"run", "job.toml", "--db", "r.db"});
    REQUIRE(again.status == 0);
    REQUIRE_THAT(again.errors, Contains("job 'tiny' is finished: mosaic front --job tiny"));
    folder.write("job.toml", kJob);
    const auto changed = folder.run({"search", "job.toml", "--db", "r.db"});
    REQUIRE(changed.status == 2);
    REQUIRE_THAT(changed.errors, Contains("was begun with other settings"));
    REQUIRE(folder.run({"extract", "--db", "r.db", "--out", "net"}).status == 2);
    const auto none =
        folder.run({"extract", "--db", "r.db", "--max", "latency_ms=0", "--out", "other"});
    REQUIRE(none.status == 1);
    REQUIRE_THAT(none.errors, Contains("keeps latency_ms <= 0") && Contains("loosen the bounds"));
    const auto resumed = folder.run({"resume", "--db", "r.db"});
    REQUIRE(resumed.status == 0);
    REQUIRE_THAT(resumed.errors, Contains("is finished"));
  }
  SECTION("a subnet reads into plain PyTorch and computes the same") {
    mosaic::need(std::system("python3 -c 'import torch, safetensors' 2>/dev/null") == 0,
                 mosaic::Need::kOther, "no Python with torch and safetensors");
    const auto check =
        folder.run({"eval", "net", "--split", "validation", "--outputs", "xy.safetensors"});
    REQUIRE(check.status == 0);
    const std::string source = std::getenv("MOSAIC_SOURCE_DIR");
    const std::string command = "cd " + (folder / "").string() + " && PYTHONPATH=" + source +
                                "/python python3 " + source +
                                "/examples/load_subnet.py net xy.safetensors";
    REQUIRE(std::system(command.c_str()) == 0);
  }
}

TEST_CASE("steps one by one: train, measure and search of the same job") {
  need_data();
  const Folder folder("steps");
  folder.write("job.toml", kJob + kLatency);
  REQUIRE(folder.run({"train", "job.toml", "--db", "r.db"}).status == 0);
  REQUIRE(folder.run({"measure", "job.toml", "--db", "r.db"}).status == 0);
  const auto search = folder.run({"search", "job.toml", "--db", "r.db"});
  INFO(search.errors);
  REQUIRE(search.status == 0);
  REQUIRE_THAT(search.output, Contains("accuracy"));
  folder.write("archs.txt", "stage1.width=2\n\nstage1.width=4,stage2.width=8\n");
  REQUIRE(folder.run({"measure", "job.toml", "--archs", "archs.txt", "--out", "t.csv"}).status ==
          0);
  REQUIRE_THAT(slurp(folder / "t.csv"), Contains("arch,latency_ms,standard_error,note"));
}

TEST_CASE(
    "Ctrl-C stops a job cleanly, says how to go on, and the resumed job ends as an unbroken one") {
  need_data();
  const Folder whole("unbroken");
  whole.write("job.toml", kJob);
  REQUIRE(whole.run({"run", "job.toml", "--db", "r.db"}).status == 0);
  const Folder folder("interrupted");
  folder.write("job.toml", kJob);
  const pid_t child = folder.start({"run", "job.toml", "--db", "r.db"});
  while (slurp(folder / "stderr.txt").find("train supernet") == std::string::npos &&
         kill(child, 0) == 0)
    std::this_thread::yield();
  kill(child, SIGINT);
  const auto stopped = folder.finish(child);
  INFO(stopped.errors);
  if (stopped.status != 0) {  // it may have been faster than the signal
    REQUIRE(stopped.status == 1);
    REQUIRE_THAT(stopped.errors, Contains("go on with: mosaic resume tiny --db r.db"));
    REQUIRE_THAT(folder.run({"jobs", "--db", "r.db"}).output, Contains("interrupted"));
    REQUIRE(folder.run({"resume", "--db", "r.db"}).status == 0);
  }
  REQUIRE(content(folder / "r.db") == content(whole / "r.db"));
}

TEST_CASE(
    "a job killed at any of 20 points, training included, resumes to the same content bit for bit",
    "[slow]") {
  need_data();
  const Folder whole("whole_job");
  whole.write("job.toml", kJob);
  REQUIRE(
      whole.run({"run", "job.toml", "--db", "r.db"}, {{"MOSAIC_COUNT_CRASH_POINTS", "count.txt"}})
          .status == 0);
  const int points = std::stoi(slurp(whole / "count.txt"));
  REQUIRE(points > 40);
  const std::string expected = content(whole / "r.db");
  for (int i = 0; i < 20; ++i) {
    const int point = 1 + i * (points - 1) / 19;
    INFO("killed at crash point " << point << " of " << points);
    const Folder folder("killed");
    folder.write("job.toml", kJob);
    const auto killed = folder.run({"run", "job.toml", "--db", "r.db"},
                                   {{"MOSAIC_CRASH_AT", std::to_string(point)}});
    REQUIRE(killed.status == 128 + SIGKILL);
    auto resumed = folder.run({"resume", "--db", "r.db"});
    // Killed before the job's row was committed, there is nothing to resume: the job begins.
    if (resumed.status != 0) resumed = folder.run({"run", "job.toml", "--db", "r.db"});
    INFO(resumed.errors);
    REQUIRE(resumed.status == 0);
    REQUIRE(content(folder / "r.db") == expected);
  }
}

TEST_CASE("wrong usage exits with 2 and says what to do") {
  const Folder folder("usage");
  const auto message = [&](const std::string& text,
                           const std::vector<std::string>& command = {"run", "job.toml"}) {
    folder.write("job.toml", text);
    const auto outcome = folder.run(command);
    REQUIRE(outcome.status == 2);
    return outcome.errors;
  };
  REQUIRE(folder.run({}).status == 2);
  REQUIRE(folder.run({"rnu"}).status == 2);
  REQUIRE(folder.run({"--help"}).status == 0);
  REQUIRE_THAT(folder.run({"--help"}).output, !Contains("verbose"));  // it says nothing more
  REQUIRE(folder.run({"-v", "spaces"}).status == 0);
  REQUIRE_THAT(folder.run({"run", "--help"}).output, Contains("mosaic resume"));
  REQUIRE_THAT(folder.run({"run", "missing.toml"}).errors, Contains("missing.toml"));
  REQUIRE_THAT(message("[job\n"), Contains("job.toml:1"));
  REQUIRE_THAT(message("[job]\nseed = 1\n"), Contains("name"));
  std::string wrong = kJob;
  wrong.replace(wrong.find("population = 8"), 14, "population = 30");
  REQUIRE_THAT(message(wrong), Contains("job.toml:30") && Contains("use 28 or 32"));
  wrong = kJob;
  wrong.replace(wrong.find("epochs"), 6, "epoch ");
  REQUIRE_THAT(message(wrong), Contains("job.toml:18") && Contains("did you mean 'epochs'?"));
  wrong = kJob;
  wrong.replace(wrong.find("layer-wise"), 10, "layer-wide");
  REQUIRE_THAT(message(wrong), Contains("did you mean 'layer-wise'?"));
  const auto with_sharing = [&](const std::string& lines) {
    std::string job = kJob;
    const std::string old = "sharing = \"layer-wise\"\ncopies = 2\nrouter_hidden = 8\n";
    return job.replace(job.find(old), old.size(), lines);
  };
  REQUIRE_THAT(message(with_sharing("router = \"plain\"\nsplit = \"random\"\n")),
               Contains("job.toml:16") && Contains("only sharing = \"partition\" has this key"));
  const std::string partition = "router = \"partition\"\nsplit = \"gene=stage1.width\"\n";
  REQUIRE_THAT(message(with_sharing(partition + "experts = 3\n")),
               Contains("job.toml:17") && Contains("this split says itself how many"));
  REQUIRE_THAT(message(with_sharing("router = \"plain\"\nbudget = 2\n")),
               Contains("only sharing = \"grown\" has this key"));
  REQUIRE_THAT(message(with_sharing("router = \"grown\"\nexperts = 2\n")),
               Contains("set budget instead"));
  REQUIRE_THAT(message(with_sharing("sharing = \"plain\"\ncopies = 2\n")),
               Contains("job.toml:16") && Contains("plain sharing has one copy"));
  REQUIRE_THAT(message(with_sharing("router = \"plain\"\nsharing = \"plain\"\n")),
               Contains("job.toml:15") && Contains("router: is the former name of 'sharing'"));
  REQUIRE_THAT(message(with_sharing("router = \"grown\"\ngrow_at = [0.5, 0.3]\n")),
               Contains("the shares of the training must rise"));
  REQUIRE_THAT(message(with_sharing("router = \"grown\"\ngrow_at = [0.5, 2]\n")),
               Contains("element 2 must be"));
  REQUIRE_THAT(message(with_sharing("router = \"partition\"\nsplit = \"exhaustive\"\n")),
               Contains("say when: split_at"));
  REQUIRE_THAT(message(with_sharing(partition + "split_at = [0.2]\n")),
               Contains("a split that is given holds from the start"));
  REQUIRE_THAT(message(with_sharing("router = \"partition\"\nsplit = \"gene=stage1.widht\"\n")),
               Contains("did you mean 'stage1.width'?"));
  wrong = kJob;
  wrong.replace(wrong.find("resnet-elastic"), 14, "resnet-elastik");
  REQUIRE_THAT(message(wrong), Contains("did you mean 'resnet-elastic'?"));
  wrong = kJob;
  wrong.replace(wrong.find("[supernet]"), 10, "[supernets]");
  REQUIRE_THAT(message(wrong), Contains("needs a trained supernet"));
  REQUIRE_THAT(message("[job]\nname = \"x\"\n[space]\nname = \"nasbench201\"\n"),
               Contains("the job has no objective"));
  REQUIRE_THAT(message(kJob, {"resume", "--db", "none.db"}),
               Contains("there is no database none.db"));
  REQUIRE_FALSE(std::filesystem::exists(folder / "results.db-wal"));
  folder.write(
      "foreign.db",
      "this is not a database, whatever its name says, and it is long enough to have a header");
  REQUIRE(folder.run({"front", "--db", "foreign.db"}).status != 0);
}

TEST_CASE("a search without a supernet, and the catalogue commands") {
  const Folder folder("catalogue");
  folder.write(
      "job.toml",
      "[job]\nname = \"s\"\n[space]\nname = \"nasbench201\"\ncells = 1\n[[objective]]\nmetric = "
      "\"params\"\n[[objective]]\nmetric = \"flops\"\ngoal = \"max\"\n[search]\nevaluations = 60\n"
      "population = 12\n");
  REQUIRE(folder.run({"search", "job.toml", "--db", "s.db"}).status == 0);
  REQUIRE_THAT(folder.run({"front", "--db", "s.db", "--csv", "--at", "30"}).output,
               Contains("evaluation,params,flops"));
  REQUIRE_THAT(folder.run({"spaces", "nasbench201"}).output, Contains("15,625 architectures"));
  const auto options = folder.run({"spaces", "bert", "--set", "size=base"}).output;
  REQUIRE_THAT(options,
               Contains("key of [space]") && Contains("mini, base") && Contains("6 to 12"));
  REQUIRE_THAT(folder.run({"spaces", "resnet-pooling", "--arch", "4-3-3"}).output,
               Contains("272.5k parameters"));
  for (const std::string command : {"spaces", "tasks", "ops", "sharing", "routers", "samplers",
                                    "metrics", "predictors", "algorithms"})
    REQUIRE(folder.run({command}).status == 0);
  const auto task = folder.run({"tasks", "image-folder"});
  REQUIRE(task.status == 0);
  REQUIRE_THAT(task.output,
               Contains("data: the task image-folder needs a folder: set [task] path"));
  REQUIRE_THAT(folder.run({"tasks", "imagefolder"}).errors,
               Contains("did you mean 'image-folder'?"));
  REQUIRE_THAT(folder.run({"algorithms", "nsga3"}).errors, Contains("did you mean 'nsga2'?"));
  REQUIRE_THAT(folder.run({"doctor"}).output, Contains("LibTorch"));
}
