// Scores with inherited weights: by the task's own loss, and no network twice.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "small_task.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::small_task;

namespace {

/// The images of another task, judged otherwise: right is what is among the two likeliest classes,
/// and the loss is the squared error of probabilities. Counts the batches that it is asked for.
class OtherLoss : public tasks::Task {
 public:
  explicit OtherLoss(const tasks::Task& inner) : inner_(inner) {}
  const std::string& name() const override { return inner_.name(); }
  const std::string& checksum() const override { return inner_.checksum(); }
  const spaces::TaskShape& shape() const override { return inner_.shape(); }
  std::int64_t size(tasks::Split split) const override { return inner_.size(split); }
  void to(const std::string&) override {}
  tasks::Batch batch(const tasks::Selection& selection) const override {
    ++batches;
    return inner_.batch(selection);
  }
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets, double) const override {
    const at::Tensor wanted = at::one_hot(tasks::tensor(targets, "class"), outputs.size(1));
    return (at::softmax(outputs, 1) - wanted).square().sum(1);
  }
  std::vector<tasks::MetricType> metrics() const override {
    return {{"accuracy", "%", true, [] {
               return tasks::mean_metric(
                   [](const at::Tensor& outputs, const NamedTensors& targets) {
                     const at::Tensor best = std::get<1>(outputs.topk(2, 1));
                     return best.eq(tasks::tensor(targets, "class").unsqueeze(1)).any(1);
                   },
                   100);
             }}};
  }

  mutable int batches = 0;

 private:
  const tasks::Task& inner_;
};

spaces::Space pooling_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 28, 28}, 10),
                             {{"width", "4"}, {"layers", "5"}, {"poolings", "1"}});
}

}  // namespace

TEST_CASE("networks scored together are judged by the task's own loss and rule") {
  const auto images = small_task();
  const OtherLoss task(*images);
  const auto space = pooling_space();
  const auto genotypes = *space.enumerate();
  std::vector<Subnet> subnets;
  for (std::size_t i = 0; i < genotypes.size(); ++i)
    subnets.push_back(fresh_subnet(space, genotypes[i], i));
  std::vector<Subnet*> members;
  for (auto& subnet : subnets) members.push_back(&subnet);
  const Scoring scoring{.split = tasks::Split::train, .examples = 300, .calibration = 256};
  const auto scores = score_subnets(members, task, scoring);
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    NormStats stats = calibrate(
        [&](const NamedTensors& inputs, NormStats* recorded) {
          subnets[i].forward(inputs, NormMode::calibrate, recorded);
        },
        subnets[i].graph(), task, scoring.calibration);
    const auto alone = evaluate(
        [&](const NamedTensors& inputs) {
          return subnets[i].forward(inputs, NormMode::stored, &stats);
        },
        task, scoring.split, scoring.examples);
    CHECK(scores[i].at("accuracy").value ==
          Approx(alone.at("accuracy").value).margin(0.4));  // at most one image
    CHECK(scores[i].at("loss").value == Approx(alone.at("loss").value).epsilon(1e-4));
    CHECK(scores[i].at("loss").value < 1.2);  // a cross-entropy of ten classes begins at 2.3
  }
}

TEST_CASE("accuracy and loss of a network cost one calibration and one pass over the images") {
  const auto images = small_task();
  const OtherLoss task(*images);
  const auto space = pooling_space();
  Supernet net(space, {.kind = "plain", .copies = 1}, 1);
  evaluators::Workbench::Parts parts;
  parts.space = &space;
  parts.supernet = &net;
  parts.task = &task;
  const evaluators::Workbench work(parts);
  std::vector<evaluators::Candidate> candidates;
  const auto genotypes = *space.enumerate();
  for (const auto& genotype : genotypes)
    candidates.push_back(evaluators::make_candidate(space, genotype));

  const auto rows = [&](const std::string& keys, const std::vector<std::string>& metrics,
                        std::size_t networks) {
    auto section = core::Config::from_text(keys).root();
    const evaluators::JobFacts facts{.task = &tasks::tasks().at("fashion-mnist"), .supernet = true};
    const auto measuring = evaluators::read_measuring("inherited", section, facts);
    return measuring.make(work, metrics)->evaluate(std::span(candidates).first(networks));
  };
  const std::string keys = "examples = 30\ncalibration = 64\n";
  (void)rows(keys, {"accuracy"}, 1);
  CHECK(task.batches == 2);  // a batch each of both kinds
  (void)rows(keys, {"accuracy", "loss"}, 1);
  CHECK(task.batches == 4);
  const auto accuracy = rows(keys, {"accuracy"}, candidates.size());
  const auto both = rows(keys, {"accuracy", "loss"}, candidates.size());
  CHECK(task.batches <= 4 * static_cast<int>(1 + candidates.size()));  // or fewer: they share them
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    CHECK(both[i][0].value == accuracy[i][0].value);
    CHECK(both[i][1].metric == "loss");
    CHECK(both[i][1].value < 1.2);
    CHECK(both[i][1].standard_error > 0);
  }
  const auto other = rows("examples = 30\ncalibration = 128\n", {"loss"}, 1);
  CHECK(other[0][0].value != both[0][1].value);
  CHECK(other[0][0].fidelity != both[0][1].fidelity);
  const auto rounded = rows(keys + "precision = \"tf32\"\n", {"loss"}, 1);
  CHECK(rounded[0][0].fidelity == both[0][1].fidelity + ", in tf32");
  CHECK_THROWS_WITH(rows("precision = \"bfloat16\"\n", {"loss"}, 1),
                    Catch::StartsWith("scores in bfloat16 need a GPU"));
}
