// The moving average of the weights that a training ends with.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>

#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "stripes.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

constexpr double kDecay = 0.6;

spaces::Space small_space() {
  return spaces::Space::make("resnet-pooling", spaces::image_task({1, 12, 12}, 4),
                             {{"layers", "5"}, {"poolings", "2"}, {"width", "4"}});
}

TrainSettings averaging() {
  TrainSettings settings;
  settings.epochs = 2;
  settings.batch_size = 32;
  settings.learning_rate = 0.05;
  settings.ema = kDecay;
  settings.checkpoint_minutes = 0;  // after every step
  return settings;
}

std::string temporary(const std::string& name) {
  const auto path = std::filesystem::temp_directory_path() / ("mosaic_average_" + name);
  std::filesystem::remove(path);
  return path.string();
}

using Weights = std::map<std::string, at::Tensor>;

/// The definition, tensor by tensor, in double precision.
class Reference : public Observer {
 public:
  /// `parent`: the tensor that one came from which was not there before.
  Reference(const Supernet& net, Weights& averages,
            std::function<std::string(const std::string&)> parent = {})
      : net_(net), averages_(averages), parent_(std::move(parent)) {
    for (const auto& [name, tensor] : net.parameters())
      averages_[name] = tensor.detach().to(at::kDouble, false, true);
  }
  void after_step(Trainee&, const Moment& next, std::span<const spaces::Genotype>) override {
    const double before = static_cast<double>(next.step - 1);
    const double decay = std::min(kDecay, (1 + before) / (10 + before));
    Weights now;
    for (const auto& [name, tensor] : net_.parameters()) {
      const auto& old = averages_.count(name) ? averages_.at(name) : averages_.at(parent_(name));
      now[name] = decay * old + (1 - decay) * tensor.detach().to(at::kDouble);
    }
    averages_ = now;
  }

 private:
  const Supernet& net_;
  Weights& averages_;
  std::function<std::string(const std::string&)> parent_;
};

void require_near(const Supernet& net, const Weights& averages) {
  REQUIRE(net.parameters().size() == averages.size());
  for (const auto& [name, tensor] : net.parameters()) {
    CAPTURE(name);
    REQUIRE(at::allclose(tensor.detach().to(at::kDouble), averages.at(name), 1e-4, 1e-6));
  }
}

}  // namespace

TEST_CASE("training ends with the moving average of the weights, and goes on with the weights") {
  const Stripes task;
  const auto space = small_space();
  const auto settings = averaging();
  auto raw = settings;
  raw.ema = 0;
  Supernet net(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
  Supernet plain(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
  const auto trainee = supernet_trainee(net, settings, 1);
  Weights averages;
  trainee->observe_by(std::make_unique<Reference>(net, averages));
  std::vector<double> losses, expected;
  TrainHooks hooks;
  const auto path = temporary("definition.safetensors");
  hooks.checkpoint = path;
  hooks.identity = "average";
  hooks.report = [&](const TrainProgress& now) { losses.push_back(now.metrics.at("loss")); };
  train(*trainee, task, settings, hooks);
  require_near(net, averages);

  hooks.checkpoint.clear();
  hooks.report = [&](const TrainProgress& now) { expected.push_back(now.metrics.at("loss")); };
  train(*supernet_trainee(plain, raw, 1), task, raw, hooks);
  CHECK(losses == expected);
  const auto file = load_tensors(path);
  Supernet read(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 2);
  load_checkpoint(path, read, "average");
  const auto ends = net.parameters(), raws = plain.parameters(), found = read.parameters();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    CHECK_FALSE(at::equal(ends[i].second, raws[i].second));
    CHECK(at::equal(found[i].second, ends[i].second));
    CHECK(at::equal(file.tensors.at(raws[i].first).squeeze(0), raws[i].second.detach()));
  }
}

TEST_CASE("training with an average that is cut off ends bit for bit where an unbroken one does") {
  const Stripes task;
  const auto space = small_space();
  for (const std::string kind : {"layer-wise", "partition", "grown"}) {
    CAPTURE(kind);
    SharingSettings sharing{.kind = kind, .copies = kind == "layer-wise" ? 2 : 1, .hidden = 8};
    if (kind == "partition") sharing.split_by = "random";
    if (kind == "grown") sharing.growth = {.budget = 2, .slots = "random", .questions = "random"};
    if (kind != "layer-wise") sharing.split_at = {0.3};
    auto settings = averaging();
    if (kind == "grown") settings.optimizer = "adamw";
    const auto path = temporary(kind + ".safetensors");
    // Alone, and two side by side, whose parameters are stacked.
    for (const std::size_t count : {1, 2}) {
      std::vector<NamedTensors> results;
      for (const std::int64_t last : {0, 3, 15}) {
        std::filesystem::remove(path);
        std::vector<std::unique_ptr<Supernet>> nets;
        const auto trainee = [&] {
          std::vector<Supernet*> members;
          nets.clear();
          for (std::size_t i = 0; i < count; ++i) {
            nets.push_back(std::make_unique<Supernet>(space, sharing, i + 1));
            members.push_back(nets.back().get());
          }
          return supernet_trainee(members, settings, 7);
        };
        TrainHooks hooks;
        hooks.identity = "average";
        hooks.checkpoint = last > 0 ? path : "";
        hooks.report = [&](const TrainProgress& progress) {
          if (progress.step == last) throw std::runtime_error("as if killed");
        };
        if (last > 0) REQUIRE_THROWS(train(*trainee(), task, settings, hooks));
        hooks.report = nullptr;
        train(*trainee(), task, settings, hooks);
        results.push_back(nets.back()->parameters());
        if (last == 0) continue;
        // A training that is complete gives the average too.
        train(*trainee(), task, settings, hooks);
        results.push_back(nets.back()->parameters());
      }
      for (const auto& result : results) {
        REQUIRE(result.size() == results[0].size());
        for (std::size_t i = 0; i < result.size(); ++i) {
          INFO(result[i].first);
          REQUIRE(at::equal(result[i].second, results[0][i].second));
        }
      }
    }
  }
}

TEST_CASE("parts of a split inherit the average of what they were split from") {
  const Stripes task;
  const auto space = small_space();
  Supernet net(space, {.kind = "partition", .copies = 1, .split_by = "random", .split_at = {0.5}},
               1);
  const auto settings = averaging();
  const auto trainee = supernet_trainee(net, settings, 1);
  Weights averages;
  trainee->observe_by(std::make_unique<Reference>(net, averages, [](const std::string& name) {
    return "bank." + name.substr(std::string("bank.part0.").size());
  }));
  train(*trainee, task, settings, {});
  REQUIRE(net.sharing().parts() == 2);
  require_near(net, averages);
}

TEST_CASE("extracted networks end with the average too, side by side") {
  const Stripes task;
  const auto space = small_space();
  const auto settings = averaging();
  auto raw = settings;
  raw.ema = 0;
  const auto train_two = [&](const TrainSettings& how) {
    std::vector<Subnet> nets;
    nets.push_back(fresh_subnet(space, space.largest(), 1));
    nets.push_back(fresh_subnet(space, space.smallest(), 2));
    std::vector<Subnet*> members{&nets[0], &nets[1]};
    train(*subnet_trainee(members), task, how, {});
    return nets;
  };
  const auto averaged = train_two(settings), plain = train_two(raw);
  for (std::size_t i = 0; i < 2; ++i)
    for (const auto& [name, weight] : averaged[i].weights()) {
      CAPTURE(name);
      CHECK_FALSE(at::equal(weight, plain[i].weights().at(name)));
      CHECK(at::allclose(weight, plain[i].weights().at(name), 0.5, 0.2));
    }
}
