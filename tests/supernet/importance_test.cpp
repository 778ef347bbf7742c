#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <numeric>

#include "mosaic/supernet/training/sampler.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "small_task.hpp"
#include "training/gradient.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using mosaic::supernet::test::OfLittleMemory;
using mosaic::supernet::test::small_task;

namespace {

spaces::Space cell_space() {
  return spaces::Space::make("nasbench201", spaces::image_task({1, 28, 28}, 10),
                             {{"channels", "2"}, {"cells", "1"}});
}

TrainSettings training(const std::string& sampler) {
  TrainSettings settings;
  settings.epochs = 3;
  settings.batch_size = 40;
  settings.learning_rate = 0.05;
  settings.precision = "float32";
  settings.sampler = sampler;
  return settings;
}

/// `a` alone, or both.
std::unique_ptr<Trainee> trainee_of(bool joint, Supernet& a, Supernet& b,
                                    const TrainSettings& settings) {
  const std::vector<Supernet*> members{&a, &b};
  return joint ? supernet_trainee(members, settings, 7, {0, 1}) : supernet_trainee(a, settings, 7);
}

}  // namespace

TEST_CASE("importance sampling draws options by the gradients of their weights") {
  const auto space = cell_space();
  const auto sampler = make_sampler("importance", space);
  const auto state = sampler->begin(100);
  const auto counts = [&] {
    std::map<int, int> result;
    core::Stream stream(1, "draws");
    for (int i = 0; i < 4000; ++i) ++result[sampler->draw(stream)[0][0]];
    return result;
  };
  for (const auto& [option, count] : counts()) REQUIRE(count == Approx(800).margin(120));
  // From the middle of the training on: half by the norms, half uniform.
  sampler->end_epoch(0.5);
  const auto& labels = space.genes()[0].labels;
  std::vector<double> expected;
  double sum = 0, known = 0;
  for (std::size_t option = 0; option < labels.size(); ++option) {
    spaces::Genotype genotype(6, 0);
    genotype[0] = static_cast<int>(option);
    // Edge 01 alone has gradients: nine times as large where the kernel is 3.
    std::vector<double> norms(space.graph().slots.size(), 0.0);
    double squares = 0;
    for (const auto& node : space.graph().nodes)
      if (node.condition.depends_on(0) && node.condition.at(genotype) == 1)
        for (const auto& use : node.weights) {
          const double norm = labels[option].find("3x3") != std::string::npos ? 9 : 1;
          norms[static_cast<std::size_t>(use.slot)] = norm;
          squares += norm * norm;
        }
    sampler->observe(genotype, norms);
    expected.push_back(std::sqrt(squares) / 2);
    sum += expected.back();
    known += squares > 0 ? 1 : 0;
  }
  REQUIRE(known == 2);  // two convolutions; skip, pooling and none bring no weights
  for (double& share : expected) share = share > 0 ? share : sum / known;
  const double all = std::accumulate(expected.begin(), expected.end(), 0.0);
  auto found = counts();
  for (std::size_t option = 0; option < labels.size(); ++option) {
    INFO(labels[option]);
    REQUIRE(found[static_cast<int>(option)] / 4000.0 ==
            Approx(0.5 * expected[option] / all + 0.5 / 5).margin(0.03));
  }
}

TEST_CASE("importance sampling repeats images that are not learned yet") {
  const auto space = cell_space();
  const auto sampler = make_sampler("importance", space);
  (void)sampler->begin(50);
  const auto count = [&](std::int64_t epoch, std::int64_t order) {
    return at::bincount(sampler->examples(epoch, order), {}, 50);
  };
  REQUIRE(count(0, 0).eq(1).all().item<bool>());
  REQUIRE_FALSE(at::equal(sampler->examples(0, 0), sampler->examples(0, 1)));
  const auto numbers = at::arange(50);
  sampler->observe(numbers, at::where(numbers < 5, at::full({50}, 1.0), at::full({50}, 0.1)));
  sampler->end_epoch(1.0);  // entirely by the errors: 1 / (5 + 4.5) for each of five images
  double hard = 0;
  for (std::int64_t order = 0; order < 40; ++order)
    hard += count(1, order).narrow(0, 0, 5).sum().item<double>() / (40 * 50);
  REQUIRE(hard == Approx(5 / 9.5).margin(0.04));
  REQUIRE(make_sampler("importance(data=0)", space)->examples(1, 0).defined() == false);
}

TEST_CASE("errors of a step are those of its images") {
  const auto task = small_task();
  const auto space = cell_space();
  Supernet net(space, {.kind = "plain", .copies = 1}, 3);
  const auto settings = training("importance");
  const auto trainee = supernet_trainee(net, settings, 7);
  REQUIRE(estimate(*trainee, *task, settings, space).seconds > 0);  // before training begins
  for (const auto& observer : trainee->observers()) observer->begin(*task);
  Gradients gradients(*trainee, *task, {});
  const auto batch = training_batch(*trainee, *task, 0, 1, 40);
  const auto genotype = trainee->draw(1)[0];
  const auto found = gradients.run(genotype, batch, 1);
  at::NoGradGuard guard;
  const at::Tensor logits = trainee->forward(genotype, batch.inputs, {}).values[0];
  const at::Tensor off =
      at::softmax(logits, -1) - at::one_hot(tasks::tensor(batch.targets, "class"), 10);
  REQUIRE(at::allclose(found.norms, off.square().sum(-1).sqrt(), 1e-4, 1e-5));
}

TEST_CASE("errors of a batch that is taken in pieces are those of all its images") {
  const auto task = small_task();
  const auto space = cell_space();
  auto settings = training("importance");
  settings.epochs = 1;
  for (const bool joint : {false, true}) {
    Supernet a(space, {.kind = "plain", .copies = 1}, 1),
        b(space, {.kind = "plain", .copies = 1}, 2);
    std::vector<at::Tensor> logits;  // of the pieces of a step
    auto inner = trainee_of(joint, a, b, settings);
    std::int64_t steps = 0;
    struct Check : Observer {
      explicit Check(std::function<void(const Trainee&, const Findings&)> run)
          : run_(std::move(run)) {}
      void found(const Trainee& trainee, const Findings& found) override { run_(trainee, found); }
      std::function<void(const Trainee&, const Findings&)> run_;
    };
    inner->observe_by(std::make_unique<Check>([&](const Trainee& trainee, const Findings& found) {
      const auto batch = training_batch(trainee, *task, found.now.step / found.now.per_epoch,
                                        found.now.step % found.now.per_epoch, 40);
      REQUIRE(logits.size() == 4);
      const at::Tensor shares = at::softmax(at::cat(logits, 1).detach(), -1);
      const at::Tensor off = shares - at::one_hot(tasks::tensor(batch.targets, "class"), 10);
      REQUIRE(at::allclose(found.norms, off.square().sum(-1).sqrt(), 1e-4, 1e-5));
      logits.clear();
      ++steps;
    }));
    OfLittleMemory trainee(std::move(inner), 16,
                           [&](const at::Tensor& piece) { logits.push_back(piece); });
    train(trainee, *task, settings, {});
    REQUIRE(steps == task->size(tasks::Split::train) / 40);
  }
}

TEST_CASE("training with importance sampling goes on bit for bit, alone and jointly") {
  const auto task = small_task();
  const auto space = cell_space();
  auto settings = training("importance");
  settings.checkpoint_minutes = 0;
  const auto path =
      (std::filesystem::temp_directory_path() / "mosaic_importance.safetensors").string();
  for (const bool joint : {false, true}) {
    const auto run = [&](Supernet& a, Supernet& b, const TrainHooks& hooks) {
      train(*trainee_of(joint, a, b, settings), *task, settings, hooks);
    };
    const SharingSettings plain{.kind = "plain", .copies = 1};
    Supernet a(space, plain, 1), b(space, plain, 2), c(space, plain, 1), d(space, plain, 2),
        e(space, plain, 1), f(space, plain, 2), g(space, plain, 1), h(space, plain, 2);
    run(a, b, {});
    std::filesystem::remove(path);
    TrainHooks hooks{.checkpoint = path, .identity = "importance"};
    hooks.report = [](const TrainProgress& progress) {
      if (progress.step == 14) throw std::runtime_error("as if killed");
    };
    REQUIRE_THROWS(run(c, d, hooks));
    hooks.report = nullptr;
    run(e, f, hooks);
    const auto expected = a.parameters(), found = e.parameters();
    for (std::size_t i = 0; i < found.size(); ++i)
      REQUIRE(at::equal(found[i].second, expected[i].second));
    // It is another training than the uniform one.
    settings.sampler = "uniform";
    run(g, h, {});
    settings.sampler = "importance";
    REQUIRE_FALSE(at::equal(g.parameters()[0].second, expected[0].second));
  }
  std::filesystem::remove(path);
}
