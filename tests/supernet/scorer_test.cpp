// Runs over every registered way of sharing and space: architectures that are scored in groups,
// block by block, and on a GPU by replays, have the scores of networks that stand alone.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "any_task.hpp"
#include "conformance/samples.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

/// Supernets side by side, and architectures of their space.
struct Nets {
  Nets(const spaces::Space& own, const std::string& sharing, std::size_t count,
       const std::string& device)
      : space(own) {
    for (std::size_t i = 0; i < count; ++i) {
      nets.push_back(
          std::make_unique<Supernet>(space, supernet::test::any_sharing(space, sharing), 7 + i));
      nets.back()->to(device);
      members.push_back(nets.back().get());
    }
    core::Stream stream(5, "architectures");
    genotypes = {space.smallest(), space.largest(), space.random(stream)};
  }
  const spaces::Space& space;
  std::vector<std::unique_ptr<Supernet>> nets;
  std::vector<Supernet*> members;
  std::vector<spaces::Genotype> genotypes;
};

/// Losses of each architecture by each supernet.
std::vector<std::vector<tasks::Estimate>> losses(Scorer& scorer,
                                                 const std::vector<spaces::Genotype>& genotypes) {
  std::vector<std::vector<tasks::Estimate>> result;
  scorer(genotypes, [&](std::size_t i, const Scored& scored) {
    REQUIRE(i == result.size());
    if (scored.error) std::rethrow_exception(scored.error);
    auto& of_each = result.emplace_back();
    for (const auto& score : scored.scores) of_each.push_back(score.at("loss"));
  });
  REQUIRE(result.size() == genotypes.size());
  return result;
}

/// As an extracted network has it.
tasks::Estimate loss_alone(const Supernet& net, const spaces::Genotype& genotype,
                           const tasks::Task& task, const Scoring& scoring) {
  const Subnet subnet = net.extract(genotype, {});
  NormStats stats =
      calibrate([&](const NamedTensors& inputs,
                    NormStats* recorded) { subnet.forward(inputs, NormMode::calibrate, recorded); },
                subnet.graph(), task, scoring.calibration);
  return evaluate(
             [&](const NamedTensors& inputs) {
               return subnet.forward(inputs, NormMode::stored, &stats);
             },
             task, scoring.split, scoring.examples, scoring.batch_size)
      .at("loss");
}

void check_alone(const spaces::Space& space, const std::string& sharing, std::size_t count,
                 std::int64_t calibration) {
  CAPTURE(sharing, space.name(), count);
  if (sharing == "balanced" && space.genotypes() > 100'000) return;
  const Nets all(space, sharing, count, "cpu");
  const test::AnyTask task(space, "cpu");
  const Scoring scoring{
      .examples = 10, .calibration = calibration, .metrics = {"loss"}, .batch_size = 4};
  Scorer scorer(all.members, task, scoring);
  const auto found = losses(scorer, all.genotypes);
  for (std::size_t i = 0; i < all.genotypes.size(); ++i)
    for (std::size_t k = 0; k < count; ++k) {
      INFO(space.text(all.genotypes[i]));
      const auto expected = loss_alone(*all.nets[k], all.genotypes[i], task, scoring);
      CHECK(found[i][k].examples == 10);
      CHECK(found[i][k].value == Approx(expected.value).epsilon(1e-5));
      CHECK(found[i][k].error == Approx(expected.error).epsilon(1e-5));
    }
}

/// The largest relative difference.
double difference(const std::vector<std::vector<tasks::Estimate>>& a,
                  const std::vector<std::vector<tasks::Estimate>>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k)
      most = std::max(most, std::abs(a[i][k].value / b[i][k].value - 1));
  return most;
}

/// Replayed blocks against launched ones; also when the weights have changed since.
void check_replayed(const spaces::Space& space, const std::string& sharing, std::size_t count,
                    const std::string& precision, double tolerance) {
  CAPTURE(sharing, space.name(), count, precision);
  if (sharing == "balanced" && space.genotypes() > 100'000) return;
  const Nets all(space, sharing, count, "cuda");
  const test::AnyTask task(space, "cuda");
  const Scoring scoring{.examples = 10,
                        .calibration = 16,
                        .precision = precision,
                        .metrics = {"loss"},
                        .batch_size = 4};
  Scorer launched(all.members, task, scoring, /*record=*/false);
  Scorer replayed(all.members, task, scoring);
  for (int time = 0; time < 4; ++time) {
    CAPTURE(time);
    CHECK(difference(losses(replayed, all.genotypes), losses(launched, all.genotypes)) < tolerance);
    if (time != 2) continue;
    const at::NoGradGuard guard;
    for (const auto* net : all.members)
      for (const auto& [name, tensor] : net->parameters()) at::Tensor(tensor).mul_(1.05);
  }
  CHECK(replayed.recorded() > 0);
  CHECK(launched.recorded() == 0);
}

}  // namespace

TEST_CASE("every way of sharing and space: scores are those of extracted networks") {
  for (const auto& name : spaces::space_types().names()) {
    for (const auto& sharing : sharing_kinds().names())
      check_alone(conformance::small_space(name), sharing, 1, sharing == "plain" ? 512 : 8);
    check_alone(conformance::small_space(name), "layer-wise", 2, 8);
    check_alone(conformance::small_space(name), "partition", 2, 8);
  }
}

TEST_CASE("every way of sharing and space: replayed scores are those of launched ones", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setSDPUseCuDNN(false);
  for (const auto& name : spaces::space_types().names()) {
    for (const auto& sharing : sharing_kinds().names())
      check_replayed(conformance::small_space(name), sharing, 1, "float32", 1e-4);
    check_replayed(conformance::small_space(name), "layer-wise", 2, "float32", 1e-4);
    check_replayed(conformance::small_space(name), "layer-wise", 1, "bfloat16", 1e-2);
  }
}

TEST_CASE("scores in bfloat16 are those in float32 but for the last digits", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  for (const auto& name : spaces::space_types().names()) {
    const auto space = conformance::small_space(name);
    CAPTURE(name);
    const Nets all(space, "layer-wise", 1, "cuda");
    const test::AnyTask task(space, "cuda");
    const Scoring exact{.examples = 200, .calibration = 64, .metrics = {"loss"}};
    Scoring rounded = exact;
    rounded.precision = "bfloat16";
    Scorer a(all.members, task, exact), b(all.members, task, rounded);
    CHECK(difference(losses(b, all.genotypes), losses(a, all.genotypes)) < 0.1);
  }
}

TEST_CASE("scores follow the weights: changed where they lie, or replaced") {
  const auto space = conformance::small_space("nasbench201");
  const Nets all(space, "layer-wise", 2, "cpu");
  const test::AnyTask task(space, "cpu");
  const Scoring scoring{.examples = 10, .calibration = 8, .metrics = {"loss"}, .batch_size = 4};
  Scorer kept(all.members, task, scoring);
  const auto before = losses(kept, all.genotypes);
  for (const bool replaced : {false, true}) {
    CAPTURE(replaced);
    {
      const at::NoGradGuard guard;
      for (const auto* net : all.members)
        for (const auto& [name, tensor] : net->parameters())
          if (replaced)
            tensor.set_data(tensor.clone().mul_(1.1));
          else
            at::Tensor(tensor).mul_(1.1);
    }
    Scorer fresh(all.members, task, scoring);
    const auto found = losses(kept, all.genotypes);
    CHECK(difference(found, before) > 1e-3);
    CHECK(difference(found, losses(fresh, all.genotypes)) < 1e-6);
  }
}

TEST_CASE("supernets of a trainee are scored where they lie") {
  const auto space = conformance::small_space("nasbench201");
  const Nets all(space, "layer-wise", 2, "cpu");
  const test::AnyTask task(space, "cpu");
  const auto trainee = supernet_trainee(all.members, TrainSettings{}, 7);
  Scorer scorer(all.members, task, {.examples = 10, .calibration = 8, .metrics = {"loss"}});
  const auto before = losses(scorer, all.genotypes);
  {
    const at::NoGradGuard guard;
    for (const auto& parameter : trainee->parameters()) at::Tensor(parameter.value).mul_(1.1);
  }
  CHECK(difference(losses(scorer, all.genotypes), before) > 1e-3);
}

TEST_CASE("an architecture that cannot be scored is told, and the others are scored") {
  const auto space = conformance::small_space("nasbench201");
  const Nets all(space, "plain", 1, "cpu");
  class Failing : public test::AnyTask {
   public:
    using AnyTask::AnyTask;
    at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                      double smoothing) const override {
      if (++calls == 2) throw std::runtime_error("no memory");
      return AnyTask::losses(outputs, targets, smoothing);
    }
    mutable int calls = 0;
  };
  const Failing task(space, "cpu");
  Scorer scorer(all.members, task, {.examples = 10, .calibration = 8, .metrics = {"loss"}});
  std::vector<bool> failed;
  scorer(all.genotypes, [&](std::size_t, const Scored& scored) {
    failed.push_back(scored.error != nullptr);
    CHECK(scored.scores.size() == (scored.error ? 0 : 1));
  });
  CHECK(failed == std::vector<bool>{false, true, false});
}
