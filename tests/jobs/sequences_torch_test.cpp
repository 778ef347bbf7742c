// A task that is no image classification, made here without files: two named inputs, one of them of
// a length that batches differ in, a real number to predict, and a metric that is better when it is
// smaller. It goes the way of every task: train, rank, search, extract, eval, finetune, report.
#include <ATen/ATen.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/jobs/extract.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/ranking.hpp"
#include "mosaic/report/report.hpp"
#include "mosaic/spaces/ops.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "mosaic/supernet/networks/subnet.hpp"
#include "mosaic/tasks/task.hpp"

using namespace mosaic;

namespace {

namespace fs = std::filesystem;

// ---- an op: the mean over a sequence ------------------------------------------------------------

const core::Registered kMeanSpec{
    spaces::ops(), "test-mean-over-length", "mean over the first axis",
    spaces::OpSpec{.shape = [](const spaces::Node&, const std::vector<spaces::Shape>& inputs)
                       -> spaces::Shape { return {inputs.at(0).at(1)}; },
                   .flops = [](const spaces::GraphNode&, const std::vector<spaces::Dims>&,
                               const spaces::Dims&) { return 0.0; }}};
const core::Registered kMeanKernel{
    supernet::op_kernels(), "test-mean-over-length", "at::mean",
    supernet::OpKernel([](const supernet::OpCall& call) { return call.inputs[0].mean(2); })};

// ---- a space ------------------------------------------------------------------------------------

void build(spaces::SpaceBuilder& b) {
  const auto& ports = b.task().inputs;
  const auto points = b.input(ports.at(0)), scale = b.input(ports.at(1));
  const auto width = b.choice("width", {4, 8, 16});
  const auto summed = b.node("mean", "test-mean-over-length",
                             {b.relu("act", b.linear("embed", points, {.out = width}))});
  auto x = b.add("both", {summed, b.linear("gain", scale, {.out = width})});
  x = b.when(b.choice("layers", {1, 2}) > spaces::Extent(1), x,
             [&] { return b.relu("more.act", b.linear("more", x, {.out = width})); });
  b.entry("forward", {points, scale}, {b.linear("head", x, {.out = 1})});
}
const core::Registered kSpace{spaces::space_types(), "test-sequences", "an encoder of points",
                              spaces::SpaceType{.build = build, .text = {}, .parse = {}}};

// ---- a task -------------------------------------------------------------------------------------

constexpr std::int64_t kLongest = 8;

class Sequences : public tasks::Task {
 public:
  explicit Sequences(const tasks::TaskSettings& settings) : settings_(settings) {
    constexpr std::int64_t kAll = 500;
    core::Stream stream(1, "sequences");
    points_ = at::empty({kAll, kLongest, 3});
    scale_ = at::empty({kAll, 2});
    for (at::Tensor* tensor : {&points_, &scale_})
      for (std::int64_t i = 0; i < tensor->numel(); ++i)
        tensor->data_ptr<float>()[i] = static_cast<float>(stream.normal());
  }
  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(tasks::Split split) const override {
    const auto held = static_cast<std::int64_t>(settings_.validation * 400);
    if (split == tasks::Split::test) return 100;
    return split == tasks::Split::train ? 400 - held : held;
  }
  void to(const std::string& device) override { expect_cpu(device); }

  tasks::Batch batch(const tasks::Selection& selection) const override {
    std::int64_t begin = selection.begin, count = selection.count, length = kLongest;
    if (selection.epoch < 0) count = std::min(count, size(selection.split) - begin);
    if (selection.split == tasks::Split::validation) begin += size(tasks::Split::train);
    if (selection.split == tasks::Split::test) begin += 400;
    at::Tensor chosen = at::arange(begin, begin + count);
    if (selection.epoch >= 0) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(size(tasks::Split::train)));
      std::iota(order.begin(), order.end(), 0);
      const auto number = static_cast<std::uint64_t>(1000 * selection.order + selection.epoch);
      core::Stream(settings_.seed, "order", number).shuffle(order);
      chosen = at::tensor(order, at::kLong).narrow(0, begin, count);
      length = 5 + begin / count % 4;  // batches differ in length
    }
    const at::Tensor points = points_.index_select(0, chosen).narrow(1, 0, length);
    const at::Tensor scale = scale_.index_select(0, chosen);
    const at::Tensor wanted =
        2 * points.select(2, 0).relu().mean(1) - points.select(2, 1).mean(1) + scale.select(1, 0);
    return {{{"scale", scale}, {"points", points}}, {{"temperature", wanted}}};
  }
  at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                    double) const override {
    return (outputs.squeeze(1) - tasks::tensor(targets, "temperature")).square();
  }
  LossName loss_name() const override { return {"squared error", "K²"}; }
  nlohmann::json preprocessing() const override { return {{"points", "as measured"}}; }

 private:
  static void expect_cpu(const std::string& device) {
    if (device != "cpu") throw core::UsageError("this task stays on the CPU", "use device cpu");
  }

  tasks::TaskSettings settings_;
  std::string name_ = "test-sequences", checksum_ = core::hash_hex("sequences");
  spaces::TaskShape shape_ = {
      .inputs = {{"points", {{1, {"length"}}, {3, {}}}}, {"scale", {{2, {}}}}},
      .output = {{1, {}}},
      .typical = {{"length", 6}}};
  at::Tensor points_, scale_;
};

const core::Registered kTask{
    tasks::tasks(), "test-sequences", "a temperature after points",
    tasks::TaskType{
        [](const tasks::TaskSettings& settings) { return std::make_unique<Sequences>(settings); },
        {{"mean_error", "K", false, [] {
            return tasks::mean_metric([](const at::Tensor& outputs, const auto& targets) {
              return (outputs.squeeze(1) - tasks::tensor(targets, "temperature")).abs();
            });
          }}}}};

const std::string kJob = R"([job]
name = "sequences"
device = "cpu"
threads = 1
[space]
name = "test-sequences"
[task]
name = "test-sequences"
validation = 0.25
[supernet]
router = "layer-wise"
experts = 2
router_hidden = 4
epochs = 12
batch_size = 30
learning_rate = 0.05
)";

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("mosaic-sequences-" + std::to_string(getpid()))) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
  fs::path path;
};

}  // namespace

TEST_CASE("a task of named inputs and a metric of its own is trained, searched and extracted") {
  const Folder folder;
  const auto file = folder.write("job.toml", kJob + R"([[objective]]
metric = "mean_error"
examples = 60
[[objective]]
metric = "flops"
[[objective]]
metric = "latency_ms"
goal = "none"
predictor = "none"
repeats = 5
[search]
algorithm = "random"
population = 8
evaluations = 6
)");
  const std::string db = folder / "r.db";
  const auto run = jobs::run_job({file, db}, jobs::Goal::run);
  REQUIRE(run.found_front);

  const db::Reader reader(db);
  const auto job = reader.job("sequences");
  CHECK((job.objectives == std::vector<db::Objective>{{"mean_error", false}, {"flops", false}}));
  const auto curve = reader.training_curve(job.id);
  REQUIRE_FALSE(curve.empty());
  CHECK(curve.back().metrics.at("mean_error") < 0.7 * curve.front().metrics.at("mean_error"));
  CHECK(curve.back().metrics.contains("loss"));
  const auto front = reader.front(job);
  REQUIRE_FALSE(front.empty());
  CHECK(front[0].metrics.at("mean_error").unit == "K");
  CHECK(front[0].metrics.at("mean_error").standard_error > 0);
  CHECK(front[0].metrics.at("flops").fidelity == "exact(batch=1, length=6)");
  CHECK(
      front[0].metrics.at("latency_ms").fidelity.find("input=points lengthx3, scale 2, length=6") !=
      std::string::npos);
  // At the typical length: embed for each of 6 points, gain, head, and the second layer if any.
  for (const auto& network : front)
    if (network.arch == "width=4,layers=1")
      CHECK(network.metrics.at("flops").value == 6 * 3 * 4 + 2 * 4 + 4);
  const std::string page = report::job_page(reader, job);
  CHECK(page.find("mean_error") != std::string::npos);
  CHECK(page.find("Accuracy") == std::string::npos);

  const auto extracted = jobs::extract_subnet({.db = db,
                                               .job = {},
                                               .selection = {},
                                               .arch = "width=8,layers=2",
                                               .path = {},
                                               .out = folder / "net"});
  CHECK(extracted.difference < 1e-5);
  const auto subnet = supernet::Subnet::load(folder / "net");
  CHECK(subnet.info().shape == Sequences({}).shape());
  CHECK(nlohmann::json::parse(subnet.info().preprocessing).at("points") == "as measured");
  for (const std::int64_t length : {1, 9}) {  // of any length
    const at::Tensor points = at::ones({2, length, 3}), scale = at::ones({2, 2});
    CHECK(subnet.forward(tasks::NamedTensors{{"scale", scale}, {"points", points}}).sizes() ==
          at::IntArrayRef({2, 1}));
  }
  CHECK_THROWS_WITH(subnet.forward(tasks::NamedTensors{{"scale", at::ones({2, 2})}}),
                    "the network lacks its input 'points': feed it points, scale");

  jobs::EvalOptions eval;
  eval.folder = folder / "net";
  eval.device = "cpu";
  eval.db = db;
  const auto before = jobs::eval_subnet(eval);
  REQUIRE(before.figures.size() == 2);
  CHECK(before.figures[0].metric == "mean_error");
  CHECK(before.figures[0].examples == 100);
  CHECK(before.figures[1].unit == "K²");
  CHECK(reader.measurements(job.id, "test_mean_error").size() == 1);
  const auto tuned =
      jobs::finetune_subnet({.folder = folder / "net",
                             .out = folder / "tuned",
                             .path = {},
                             .device = "cpu",
                             .set = {"epochs=10", "batch_size=30", "learning_rate=0.05"}});
  CHECK(tuned.metric == "mean_error");
  CHECK(tuned.after < tuned.before);

  // Alone, from weights of its own: another beginning, the same kind of network.
  jobs::FinetuneOptions alone;
  alone.folder = folder / "net";
  alone.out = folder / "alone";
  alone.device = "cpu";
  alone.set = {"epochs=10", "batch_size=30", "learning_rate=0.05", "label_smoothing=0.1"};
  alone.anew = 3;
  const auto anew = jobs::finetune_subnet(alone);
  CHECK(anew.before > tuned.before);
  CHECK(anew.after < anew.before);
  alone.out = folder / "other";
  alone.set = {"epochs=2", "momentun=0.5"};
  CHECK_THROWS_WITH(jobs::finetune_subnet(alone),
                    Catch::Contains("momentun") && Catch::Contains("momentum"));
}

TEST_CASE("networks are ranked by a metric that is better when it is smaller") {
  const Folder folder;
  const auto file = folder.write("rank.toml", kJob + R"([rank]
supernets = 2
[rank.truth]
seeds = 2
epochs = 12
batch_size = 30
learning_rate = 0.05
)");
  const auto found = jobs::run_rank({file, jobs::RankPart::all, folder / "r.db", {}});
  REQUIRE(found);
  REQUIRE(found->networks.size() == 6);
  CHECK(found->truth == "test mean_error after 12 epochs alone, 2 seeds");
  CHECK(found->truth_unit == "K");
  CHECK_FALSE(found->truth_higher_is_better);
  REQUIRE(found->scores.size() == 6);
  CHECK(found->scores[0].name == "inherited mean_error");
  CHECK(found->scores[0].unit == "K");
  CHECK_FALSE(found->scores[0].higher_is_better);
  CHECK(found->scores[1].name == "inherited squared error");
  CHECK(found->scores[2].name == "inherited squared error and FLOPs");
  double best = 1e9, worst = 0;
  for (const auto& network : found->networks) {
    best = std::min(best, network.truth);
    worst = std::max(worst, network.truth);
  }
  const auto& scores = found->scores[0].per_seed[0];
  CHECK(scores.mean_absolute_error > 0);
  CHECK(scores.regret == Approx(scores.picked_truth - best).margin(1e-12));
  CHECK(scores.picked_truth <= worst);
}

TEST_CASE("a sampler that needs gradients of outputs says so where the task gives none") {
  const Folder folder;
  auto text = kJob + "sampler = \"importance\"\n[[objective]]\nmetric = \"mean_error\"\n";
  const auto file = folder.write("job.toml", text);
  CHECK_THROWS_WITH(
      jobs::run_job({file, folder / "r.db"}, jobs::Goal::train),
      Catch::Contains("weighs examples by their gradients") && Catch::Contains("test-sequences"));
}

TEST_CASE("a space of another kind of task is refused with what it takes") {
  const Folder folder;
  auto text = kJob + "[[objective]]\nmetric = \"mean_error\"\n";
  text.replace(text.find("\"test-sequences\""), 16, "\"nasbench201\"");
  CHECK_THROWS_WITH(
      jobs::run_job({folder.write("job.toml", text), folder / "r.db"}, jobs::Goal::run),
      Catch::Contains("it takes images") && Catch::Contains("points lengthx3, scale 2 -> 1"));
}
