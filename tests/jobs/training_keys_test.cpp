// Keys of [supernet] that say how networks are trained, as a job reads them; and networks that
// teach.
#include <catch2/catch.hpp>
#include <filesystem>

#include "cli/job.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/jobs/extract.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/plan.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"

using namespace mosaic;
using Catch::Contains;

namespace {

std::string job(const std::string& name, const std::string& supernet,
                const std::string& task = "limit = 300\n") {
  return "[job]\nname = \"" + name +
         "\"\nseed = 3\nthreads = 1\n[space]\nname = \"resnet-pooling\"\nlayers = "
         "5\npoolings = 1\nwidth = 2\n[task]\nname = \"fashion-mnist\"\n" +
         task + "[supernet]\nsharing = \"plain\"\nbatch_size = 50\n" + supernet +
         "[[objective]]\nmetric = \"accuracy\"\nexamples = 20\ncalibration = 40\n"
         "[[objective]]\nmetric = \"params\"\n[search]\nalgorithm = \"random\"\npopulation = 4\n"
         "evaluations = 4\n";
}

jobs::Workplace opened(const std::string& text) {
  return jobs::Workplace::open(jobs::JobFile::from_text(text, "job.toml"), {}, "cpu");
}
std::string identity(const std::string& supernet) {
  return opened(job("job", supernet)).training_identity();
}

/// The job with Vision Transformers of so many layers.
std::string with_attention(std::string text, int layers) {
  const std::string space = "name = \"resnet-pooling\"\nlayers = 5\npoolings = 1\nwidth = 2\n";
  text.replace(text.find(space), space.size(),
               "name = \"vit\"\npatch = 7\nlayers = " + std::to_string(layers) + "\n");
  return text;
}

/// Runs a job and extracts a network of it.
void make_network(const cli::test::Folder& folder, const std::string& name,
                  const std::string& supernet,
                  const std::function<std::string(std::string)>& changed = {}) {
  const auto text = job(name, supernet);
  folder.write(name + ".toml", changed ? changed(text) : text);
  const auto db = (folder / "r.db").string();
  jobs::run_job({.job_file = (folder / (name + ".toml")).string(), .db = db}, jobs::Goal::run);
  jobs::ExtractOptions options;
  options.db = db;
  options.job = name;
  options.selection.metric = "accuracy";
  options.out = (folder / (name + "-net")).string();
  jobs::extract_subnet(options);
}

}  // namespace

TEST_CASE(
    "keys of training that are not given leave the identity as it was, and others change it") {
  cli::test::need_data();
  const auto plain = identity("epochs = 1\n");
  CHECK(identity("epochs = 1\nema = 0\ndistill = 0\n") == plain);
  std::vector<std::string> found{plain};
  for (const std::string keys :
       {"ema = 0.9\n", "sampler = \"sandwich(random=1)\"\n",
        "sampler = \"sandwich(random=1)\"\ndistill = 0.5\n",
        "sampler = \"sandwich(random=1)\"\ndistill = 0.5\ndistill_temperature = 2\n",
        "warmup_steps = 2\n", "optimizer = \"adam\"\n"}) {
    found.push_back(identity("epochs = 1\n" + keys));
    CHECK(std::count(found.begin(), found.end(), found.back()) == 1);
  }
}

TEST_CASE("what a space or sampler does not have is refused at the line of the key") {
  cli::test::need_data();
  CHECK_THROWS_WITH(
      opened(job("job", "distill = 0.5\n")),
      Contains("job.toml:16: [supernet] distill") && Contains("have no largest network"));
  auto mixed = job("job", "routed = \"layer*.ffn.*\"\n");
  mixed.replace(mixed.find("\"plain\""), 7, "\"layer-wise\"");
  CHECK_THROWS_WITH(opened(mixed), Contains("job.toml:16: [supernet] routed") &&
                                       Contains("'layer*.ffn.*' fits no slot") &&
                                       Contains("there are: "));
  CHECK_THROWS_WITH(
      opened(job("job", "teacher = \"nowhere\"\n")),
      Contains("job.toml:16: [supernet] teacher") && Contains("there is no folder 'nowhere'"));
  CHECK_THROWS_WITH(
      opened(job("job", "sampler = \"sandwich(random=1)\"\ndistill_relations = 0.5\n")),
      Contains("job.toml:17: [supernet] distill_relations") && Contains("without self-attention"));
  auto of_tokens = job("job", "");
  of_tokens.replace(of_tokens.find("batch_size = 50"), 15, "batch_tokens = 256");
  CHECK_THROWS_WITH(opened(of_tokens),
                    Contains("[supernet] batch_tokens") && Contains("is of no texts"));
  // An empty name is no teacher.
  CHECK_NOTHROW(opened(job("job", "teacher = \"\"\n")));
  CHECK_THROWS_WITH(
      opened(with_attention(job("job", "distill_relations = 0.5\n"), 4)),
      Contains("[supernet] distill_relations") && Contains("have no largest network"));
  CHECK_THROWS_WITH(
      opened(job("job", "epochs = 1\n") + "[rank]\nnetworks = 2\n[rank.truth]\ndistill = 0.5\n"),
      Contains("[rank.truth] distill") && Contains("learn from the task"));
}

TEST_CASE("bfloat16 without a GPU is refused where a job begins, at the line of the key") {
  const cli::test::Folder folder("bfloat16");
  const auto refused = [&](std::string text, const std::string& section) {
    text.replace(text.find("seed = 3"), 8, "seed = 3\ndevice = \"cpu\"");
    folder.write("job.toml", text);
    CHECK_THROWS_WITH(jobs::JobFile::from_file((folder / "job.toml").string()),
                      Contains(section + " precision") && Contains("needs a GPU"));
  };
  const std::string keys = "precision = \"bfloat16\"\n";
  refused(job("job", keys), "[supernet]");
  auto objective = job("job", "");
  objective.insert(objective.find("calibration"), keys);
  refused(objective, "[[objective]]");
  refused(job("job", "") + "[rank]\nnetworks = 2\n" + keys + "[rank.truth]\n", "[rank]");
}

TEST_CASE("a job and an extracted network learn from a network that was extracted before") {
  cli::test::need_data();
  const cli::test::Folder folder("teacher");
  make_network(folder, "first", "epochs = 2\n");
  // The teacher is found beside the job file.
  const std::string keys = "epochs = 1\nteacher = \"first-net\"\ndistill = 0.6\nema = 0.9\n";
  folder.write("second.toml", job("second", keys));
  const auto path = (folder / "second.toml").string();
  const auto fresh = [&] {
    return jobs::Workplace::open(jobs::JobFile::from_file(path), {}, "cpu");
  };
  const auto with_teacher = fresh().training_identity();
  CHECK(with_teacher != identity("epochs = 1\nema = 0.9\n"));
  CHECK(fresh().teacher() != nullptr);
  // Where it lies is of no matter, what it is is.
  std::filesystem::copy(folder / "first-net", folder / "copy",
                        std::filesystem::copy_options::recursive);
  folder.write("third.toml",
               job("second", "epochs = 1\nteacher = \"copy\"\ndistill = 0.6\nema = 0.9\n"));
  CHECK(jobs::Workplace::open(jobs::JobFile::from_file((folder / "third.toml").string()), {}, "cpu")
            .training_identity() == with_teacher);
  make_network(folder, "second", keys);

  // Alone: with statistics of its own, from each seed another one, and with all that was set told.
  jobs::FinetuneOptions alone;
  alone.folder = (folder / "first-net").string();
  alone.device = "cpu";
  alone.anew = 1;
  alone.set = {"epochs=1", "label_smoothing=0.1"};
  alone.out = (folder / "alone").string();
  CHECK(jobs::finetune_subnet(alone).after > 5);
  CHECK_THAT(cli::test::slurp(folder / "alone/config.json"),
             Contains("drawn anew(seed 1), finetune(1 epochs, label_smoothing=0.1)"));
  alone.set = {"epochs=1", "sampler=uniform"};
  alone.out = (folder / "refused").string();
  CHECK_THROWS_WITH(jobs::finetune_subnet(alone), Contains("sampler draws networks"));
  alone.set = {"epochs=1", "distill=0.5"};
  CHECK_THROWS_WITH(jobs::finetune_subnet(alone), Contains("nobody to learn from"));

  jobs::FinetuneOptions options;
  options.folder = (folder / "second-net").string();
  options.out = (folder / "tuned").string();
  options.set = {"epochs=1", "teacher=" + (folder / "first-net").string()};
  options.device = "cpu";
  CHECK(jobs::finetune_subnet(options).after > 5);
  CHECK_THAT(cli::test::slurp(folder / "tuned/config.json"),
             Contains("finetune(1 epochs, distill=0.5, with a teacher)"));

  // The trained job needs its teacher no more; one that has not been trained wants the same one.
  const auto tensors = supernet::load_tensors((folder / "first-net/model.safetensors").string());
  auto changed = tensors;
  changed.tensors.begin()->second = changed.tensors.begin()->second + 1;
  supernet::save_tensors((folder / "first-net/model.safetensors").string(), changed);
  CHECK(fresh().training_identity() != with_teacher);
  auto file = jobs::JobFile::from_text(job("second", keys), path);
  file.teacher_hash = fresh().file.teacher_hash + "0";
  const auto begun = jobs::Workplace::open(file, {}, "cpu");
  CHECK_THROWS_WITH(begun.teacher(), Contains("is not the network that the job began with"));
  std::filesystem::remove_all(folder / "first-net");
  jobs::ExtractOptions again;
  again.db = (folder / "r.db").string();
  again.job = "second";
  again.selection.metric = "accuracy";
  again.out = (folder / "again").string();
  CHECK_NOTHROW(jobs::extract_subnet(again));
  CHECK_THROWS_WITH(fresh(), Contains("second.toml:17: [supernet] teacher"));

  SECTION("a network of another task is refused") {
    // The same shape, but labels that mean something else.
    auto text = cli::test::slurp(folder / "copy/config.json");
    const auto at = text.find("trouser");
    REQUIRE(at != std::string::npos);
    text.replace(at, 7, "breeches");
    folder.write("copy/config.json", text);
    CHECK_THROWS_WITH(jobs::Workplace::open(
                          jobs::JobFile::from_file((folder / "third.toml").string()), {}, "cpu"),
                      Contains("cannot teach: its outputs are not the task's"));
  }
}

TEST_CASE("a job and an extracted network learn the relations of a network of another size") {
  cli::test::need_data();
  const cli::test::Folder folder("relations");
  make_network(folder, "first", "epochs = 1\n", [](auto text) { return with_attention(text, 5); });
  for (const std::string which : {"largest", "smallest"}) {
    jobs::ExtractOptions extract;
    extract.db = (folder / "r.db").string();
    extract.job = "first";
    extract.arch = which;
    extract.out = (folder / which).string();
    CHECK_THAT(jobs::extract_subnet(extract).arch,
               Contains(which == "largest" ? "depth=5" : "depth=4"));
  }
  const std::string keys =
      "epochs = 1\nteacher = \"first-net\"\ndistill_relations = 0.5\nrelation_heads = 16\n";
  const auto smaller = [](auto text) { return with_attention(text, 4); };
  const auto identity_with = [&](const std::string& supernet) {
    folder.write("other.toml", smaller(job("second", supernet)));
    return jobs::Workplace::open(jobs::JobFile::from_file((folder / "other.toml").string()), {},
                                 "cpu")
        .training_identity();
  };
  CHECK(identity_with(keys) != identity_with(keys + "relation_loss = \"kl\"\n"));
  make_network(folder, "second", keys, smaller);

  jobs::FinetuneOptions options;
  options.folder = (folder / "second-net").string();
  options.out = (folder / "tuned").string();
  const auto teacher = "teacher=" + (folder / "first-net").string();
  options.set = {"epochs=1", teacher, "distill_relations=0.4"};
  options.device = "cpu";
  CHECK(jobs::finetune_subnet(options).after > 5);
  CHECK_THAT(cli::test::slurp(folder / "tuned/config.json"),
             Contains("distill_relations=0.4, with a teacher)"));
  options.out = (folder / "other").string();
  options.set.push_back("distill=0.7");
  CHECK_THROWS_WITH(jobs::finetune_subnet(options),
                    Contains("distill = 0.7 and distill_relations = 0.4"));
  options.set.back() = "distill=0.2";
  options.set.push_back("relation_heads=7");
  CHECK_THROWS_WITH(jobs::finetune_subnet(options), Contains("relation_heads = 7 must divide"));

  folder.write("seven.toml", smaller(job("second", keys.substr(0, keys.find("16")) + "7\n")));
  CHECK_THROWS_WITH(
      jobs::Workplace::open(jobs::JobFile::from_file((folder / "seven.toml").string()), {}, "cpu"),
      Contains("seven.toml:18: [supernet] relation_heads") && Contains("must divide"));
}

TEST_CASE("steps are as many as the plan and the learning curve say") {
  cli::test::need_data();
  const cli::test::Folder folder("steps");
  folder.write("job.toml", job("steps", "steps = 13\nwarmup_steps = 4\n"));
  jobs::RunOptions options;
  options.job_file = (folder / "job.toml").string();
  options.db = (folder / "r.db").string();
  std::string plan;
  for (const auto& line : jobs::plan_job(options)) plan += line.part + ": " + line.text + "\n";
  CHECK_THAT(plan, Contains("training: 13 steps of 50 examples"));
  CHECK_THROWS_WITH(
      jobs::plan_job({.job_file = options.job_file, .db = options.db, .set = {"supernet.steps=3"}}),
      Contains("warmup_steps = 4 are more than the 3 steps"));
  jobs::run_job(options, jobs::Goal::run);
  const db::Reader reader(options.db);
  CHECK(reader.query("SELECT max(step) FROM training").rows[0][0].text == "13");
}
