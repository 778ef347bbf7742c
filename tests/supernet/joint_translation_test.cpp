// Encoders and decoders of different widths side by side: one table embeds both languages and gives
// the logits, and each use of it reads another part.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <numeric>

#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/tasks/task.hpp"
#include "side_by_side.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using namespace mosaic::supernet::test;

namespace {

constexpr std::int64_t kVocabulary = 24, kLength = 7, kTrain = 160, kAll = 180;
constexpr std::int64_t kBegin = 2, kEnd = 3, kFirst = 5;  // the last: of words

/// Sentences of two to six words, and the same words in reverse.
class Reversed : public tasks::Task {
 public:
  Reversed() {
    source_ = at::zeros({kAll, kLength}, at::kLong);
    target_ = at::zeros({kAll, kLength}, at::kLong);
    token_ = at::zeros({kAll, kLength}, at::kLong);
    core::Stream stream(1, "sentences");
    for (std::int64_t i = 0; i < kAll; ++i) {
      const auto words = 2 + static_cast<std::int64_t>(stream.below(kLength - 2));
      target_[i][0] = kBegin;
      for (std::int64_t at = 0; at < words; ++at) {
        const auto word = kFirst + static_cast<std::int64_t>(stream.below(kVocabulary - kFirst));
        source_[i][at] = word;
        target_[i][words - at] = word;
        token_[i][words - at - 1] = word;
      }
      source_[i][words] = kEnd;
      token_[i][words] = kEnd;
    }
  }
  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(tasks::Split split) const override {
    return split == tasks::Split::train ? kTrain : kAll - kTrain;
  }
  void to(const std::string&) override {}
  std::vector<tasks::MetricType> metrics() const override { return {}; }

  tasks::Batch batch(const tasks::Selection& selection) const override {
    std::vector<std::int64_t> order(static_cast<std::size_t>(size(selection.split)));
    std::iota(order.begin(), order.end(), selection.split == tasks::Split::train ? 0 : kTrain);
    if (selection.epoch >= 0)
      core::Stream(1, "order", static_cast<std::uint64_t>(1000 * selection.order + selection.epoch))
          .shuffle(order);
    const at::Tensor all = at::tensor(order, at::kLong);
    const auto count = std::min(selection.count, all.size(0) - selection.begin);
    const at::Tensor chosen = all.narrow(0, selection.begin, count);
    return {
        {{"source", source_.index_select(0, chosen)}, {"target", target_.index_select(0, chosen)}},
        {{"token", token_.index_select(0, chosen)}}};
  }
  at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                    double) const override {
    const at::Tensor token = tasks::tensor(targets, "token"), asked = token.ne(0).to(at::kFloat);
    const at::Tensor likely = outputs.log_softmax(2).gather(2, token.unsqueeze(2)).squeeze(2);
    return -(likely * asked).sum(1) / asked.sum(1);
  }

 private:
  std::string name_ = "test-reversed", checksum_ = core::hash_hex("reversed");
  spaces::TaskShape shape_ = spaces::translation_task(kVocabulary, kLength, kLength);
  at::Tensor source_, target_, token_;
};

spaces::Space translation_space() {
  return spaces::Space::make(
      "hat-translation", spaces::translation_task(kVocabulary, kLength, kLength),
      {{"encoder_layers", "1"}, {"decoder_layers", "2"}, {"dropout_percent", "0"}});
}

/// The first network of these widths that comes.
spaces::Genotype of_widths(const spaces::Space& space, const std::string& encoder,
                           const std::string& decoder) {
  core::Stream stream(7, "networks");
  const auto wanted = "encoder.width=" + encoder + ",decoder.width=" + decoder + ",";
  for (int i = 0; i < 1000; ++i)
    if (auto genotype = space.random(stream); space.text(genotype).find(wanted) == 0)
      return genotype;
  FAIL("no network of " + wanted);
  return {};
}

std::vector<spaces::Genotype> of_different_widths(const spaces::Space& space) {
  return {of_widths(space, "128", "256"), of_widths(space, "256", "128"),
          of_widths(space, "192", "192"), of_widths(space, "128", "256")};
}

TrainSettings settings_of(const std::string& optimizer, double rate, std::int64_t epochs) {
  TrainSettings settings;
  settings.optimizer = optimizer;
  settings.learning_rate = rate;
  settings.epochs = epochs;
  settings.batch_size = 16;
  settings.precision = "float32";
  settings.clip = 0.5;
  return settings;
}

constexpr const char* kTable = "embedding.weight";

}  // namespace

TEST_CASE("encoders and decoders of different widths train together as each would alone") {
  const auto space = translation_space();
  CHECK(joint_against_alone(space, of_different_widths(space), Reversed(),
                            settings_of("sgd", 0.02, 1)) < 1e-2);
}

TEST_CASE("a table for both languages, mixed row by row, is trained and extracted") {
  const Reversed task;
  const auto space = translation_space();
  const SharingSettings sharing{.kind = "neuron-wise", .copies = 2, .hidden = 8};
  Supernet a(space, sharing, 1), b(space, sharing, 2);
  const auto drawn = a.bank().copies(kTable).detach().clone();
  REQUIRE(drawn.size(0) == 2);
  const auto settings = settings_of("adamw", 2e-3, 2);
  const std::vector<Supernet*> members{&a, &b};
  train(*supernet_trainee(members, settings, 7, {0, 1}), task, settings, {});
  CHECK_FALSE(at::equal(a.bank().copies(kTable), drawn));

  at::NoGradGuard guard;
  const auto inputs = task.batch({.split = tasks::Split::validation, .count = 20}).inputs;
  for (const auto& genotype : of_different_widths(space)) {
    CAPTURE(space.text(genotype));
    const auto graph = space.bind(genotype);
    const auto mixes = a.mixes(genotype);
    const at::Tensor mix = mixes[a.bank().place(kTable)];
    REQUIRE(mix.defined());
    CHECK(mix.sizes() == at::IntArrayRef({kVocabulary, 2}));
    CHECK((mix[5] - mix[6]).abs().max().item<double>() > 1e-4);  // each token its own
    const at::Tensor expected = a.forward(graph, genotype, inputs, NormMode::stored, nullptr);
    const auto extracted = a.extract(genotype, {});
    CHECK(difference(extracted.forward(inputs), expected) < 1e-5);
    CHECK(difference(b.extract(genotype, {}).forward(inputs), expected) > 0.1);
  }
}

TEST_CASE("supernets of a mixed table train together as each would alone") {
  const Reversed task;
  const auto space = translation_space();
  const SharingSettings sharing{.kind = "neuron-wise", .copies = 2, .hidden = 8};
  const auto settings = settings_of("sgd", 0.02, 1);
  Supernet a(space, sharing, 1), b(space, sharing, 2), alone(space, sharing, 1);
  const std::vector<Supernet*> members{&a, &b};
  train(*supernet_trainee(members, settings, 7, {0, 1}), task, settings, {});
  train(*supernet_trainee(alone, settings, 7), task, settings, {});
  CHECK(largest_difference(a.parameters(), alone.parameters()) < 1e-2);
}
