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
  std::vector<std::int64_t> input_shape() const override { return inner_.input_shape(); }
  std::int64_t classes() const override { return inner_.classes(); }
  const std::vector<std::string>& class_names() const override { return inner_.class_names(); }
  std::int64_t size(tasks::Split split) const override { return inner_.size(split); }
  void to(const std::string&) override {}
  tasks::Batch training_batch(std::int64_t epoch, std::int64_t index,
                              std::int64_t batch_size) const override {
    ++batches;
    return inner_.training_batch(epoch, index, batch_size);
  }
  tasks::Batch training_batch(std::int64_t epoch, std::int64_t index,
                              const at::Tensor& examples) const override {
    ++batches;
    return inner_.training_batch(epoch, index, examples);
  }
  tasks::Batch batch(tasks::Split split, std::int64_t begin, std::int64_t count) const override {
    ++batches;
    return inner_.batch(split, begin, count);
  }
  at::Tensor loss(const at::Tensor& outputs, const at::Tensor& targets, double) const override {
    return (at::softmax(outputs, 1) - at::one_hot(targets, outputs.size(1))).square().sum(1).mean();
  }
  at::Tensor correct(const at::Tensor& outputs, const at::Tensor& targets) const override {
    return std::get<1>(outputs.topk(2, 1)).eq(targets.unsqueeze(1)).any(1).sum();
  }

  mutable int batches = 0;

 private:
  const tasks::Task& inner_;
};

spaces::Space pooling_space() {
  return spaces::Space::make("resnet-pooling", {{1, 28, 28}, 10},
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
  const JointScoring scoring{.split = tasks::Split::train, .images = 300, .calibration = 256};
  const auto scores = score_subnets(members, task, scoring);
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    NormStats stats = calibrate(
        [&](const at::Tensor& inputs, NormStats* recorded) {
          return subnets[i].forward(inputs, NormMode::calibrate, recorded);
        },
        task, scoring.calibration);
    const auto alone = evaluate(
        [&](const at::Tensor& inputs) {
          return subnets[i].forward(inputs, NormMode::stored, &stats);
        },
        task, scoring.split, scoring.images);
    CHECK(scores[i].score.accuracy == Approx(alone.accuracy).margin(0.4));  // at most one image
    CHECK(scores[i].score.loss == Approx(alone.loss).epsilon(1e-4));
    CHECK(scores[i].score.loss < 1.2);  // a cross-entropy of ten classes begins at 2.3
  }
}

TEST_CASE("accuracy and loss of a network come from one calibration and one look at the images") {
  const auto images = small_task();
  const OtherLoss task(*images);
  const auto space = pooling_space();
  Supernet net(space, {.kind = "plain", .copies = 1}, 1);
  evaluators::EvaluatorContext context;
  context.space = &space;
  context.supernet = &net;
  context.task = &task;
  context.settings.images = 30;
  context.settings.calibration = 64;
  std::vector<evaluators::Candidate> candidates;
  const auto genotypes = *space.enumerate();
  for (const auto& genotype : genotypes)
    candidates.push_back(evaluators::make_candidate(space, genotype));

  const auto values = [&](const std::string& metric) {
    std::vector<double> result;
    for (const auto& measured :
         evaluators::evaluators().at(metric).make(context)->evaluate(candidates))
      result.push_back(measured.value);
    return result;
  };
  const auto accuracy = values("accuracy"), loss = values("loss");
  const int apart = task.batches;
  context.inherited = std::make_shared<evaluators::InheritedScores>();
  CHECK(values("accuracy") == accuracy);
  const int once = task.batches - apart;
  CHECK(2 * once == apart);
  CHECK(values("loss") == loss);
  CHECK(task.batches == apart + once);
  context.settings.calibration = 128;  // other settings are another score
  CHECK(values("loss") != loss);
  CHECK(task.batches > apart + once);
}
