// What is wrong with a job, and what says nothing in it, is told at its line.
#include <catch2/catch.hpp>
#include <filesystem>

#include "cli/job.hpp"
#include "job_lines.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/plan.hpp"
#include "mosaic/jobs/workplace.hpp"

using namespace mosaic;
using Catch::Contains;

namespace {

struct Idle {
  std::string task = {}, supernet = {}, latency = {}, rest = {};
  std::string place = {}, why = {};
  std::string space = "resnet-pooling", name = "fashion-mnist";

  std::string text() const {
    return "[job]\nname = \"idle\"\n[space]\nname = \"" + space + "\"\n[task]\nname = \"" + name +
           "\"\n" + task + "[supernet]\n" + supernet + "[[objective]]\nmetric = \"latency_ms\"\n" +
           latency + rest;
  }
};

}  // namespace

TEST_CASE("a key that says nothing is refused where a job begins, and jobs that began have it") {
  const cli::test::Folder folder("idle");
  const auto path = (folder / "job.toml").string();
  const std::vector<Idle> cases = {
      {.task = "beam = 2\n",
       .place = "job.toml:7: [task] beam = 2",
       .why = "the task fashion-mnist does not read beam"},
      {.supernet = "sharing = \"plain\"\nhidden = 8\n",
       .place = "job.toml:9: [supernet] hidden = 8",
       .why = "only mixtures have this key"},
      {.supernet = "optimizer = \"adamw\"\nmomentum = 0.5\n",
       .place = "job.toml:9: [supernet] momentum = 0.5",
       .why = "optimizer = \"adamw\" does not read it: remove it, or use optimizer = \"sgd\""},
      {.supernet = "beta2 = 0.98\n",
       .place = "job.toml:8: [supernet] beta2 = 0.98",
       .why = "optimizer = \"sgd\" does not read it"},
      {.supernet = "sharing = \"partition\"\nrestart = true\n",
       .place = "job.toml:9: [supernet] restart = true",
       .why = "divides nothing in training"},
      {.latency = "beam = 3\n",
       .place = "job.toml:10: [[objective]] beam = 3",
       .why = "write nothing: remove it"},
      {.latency = "predictor = \"none\"\nsamples = 40\n",
       .place = "job.toml:11: [[objective]] samples = 40",
       .why = "every network is measured"},
      {.rest = "[rank]\n[rank.truth]\nbeta1 = 0.8\n",
       .place = "job.toml:12: [rank.truth] beta1 = 0.8",
       .why = "does not read it"}};
  const auto db = (folder / "r.db").string();
  for (const auto& one : cases) {
    folder.write("job.toml", one.text());
    const jobs::RunOptions options{.job_file = path, .db = db};
    CHECK_THROWS_WITH(jobs::plan_job(options), Contains(one.place) && Contains(one.why));
    CHECK_THROWS_WITH(jobs::run_job(options, jobs::Goal::run), Contains(one.place));
    CHECK_FALSE(std::filesystem::exists(db));
    CHECK_NOTHROW(jobs::JobFile::from_file(path));  // of a job that began it is read
  }
}

TEST_CASE("keys that count are refused by none") {
  for (const Idle& one : std::vector<Idle>{
           {.supernet = "sharing = \"neuron-wise\"\nhidden = 8\nmomentum = 0.5\n"},
           {.supernet = "sharing = \"partition\"\nsplit_at = [0.2]\nrestart = true\n"},
           {.supernet = "optimizer = \"adam\"\nbeta1 = 0.8\n", .latency = "samples = 40\n"},
           {.task = "beam = 2\nvocabulary = 500\n",
           .latency = "beam = 3\n",
           .space = "hat-translation",
           .name = "translation"}})
    CHECK_NOTHROW(jobs::refuse_idle_keys(jobs::JobFile::from_text(one.text(), "job.toml")));
}

TEST_CASE("a table, an option and data that are not there are reported at their lines") {
  const auto opened = [](const std::string& text) {
    jobs::Workplace::open(jobs::JobFile::from_text(text, "job.toml"), {}, "cpu");
  };
  const std::string job = "[job]\nname = \"s\"\n", space = "[space]\nname = \"resnet-pooling\"\n",
                    rest = "[[objective]]\nmetric = \"params\"\n";
  CHECK_THROWS_WITH(opened("[jobs]\nname = \"s\"\n" + space + rest),
                    Contains("job.toml:1: jobs: no job file has such a table: did you mean [job]"));
  CHECK_THROWS_WITH(opened(job + "[sapce]\nname = \"bert\"\n" + rest),
                    Contains("job.toml:3: sapce") && Contains("did you mean [space]"));
  CHECK_THROWS_WITH(opened(job + rest), Contains("the key 'name' is missing"));
  CHECK_THROWS_WITH(opened(job + space + "layers = 900\n" + rest),
                    Contains("job.toml:5: [space] layers: ") && Contains("from 2 to 64"));
  CHECK_THROWS_WITH(opened(job + space + "layrs = 4\n" + rest),
                    Contains("job.toml:5: [space] layrs: ") && Contains("unknown option 'layrs'") &&
                        Contains("did you mean 'layers'"));
  CHECK_THROWS_WITH(opened(job + space + "[task]\nname = \"image-folder\"\n" + rest),
                    Contains("job.toml:5: [task]: the task image-folder needs a folder"));
}
