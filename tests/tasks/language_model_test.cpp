#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "files.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/tasks/task.hpp"
#include "text/tokenizer.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

std::string running_text(int lines, std::uint64_t seed) {
  static const std::vector<std::string> words = {"the", "ship", "sailed", "home", "and",
                                                 "a",   "gull", "cried",  "low",  "tide"};
  core::Stream stream(seed, "text");
  std::string text;
  for (int line = 0; line < lines; ++line) {
    for (std::uint64_t left = 3 + stream.below(8); left > 0; --left)
      text += words[stream.below(words.size())] + " ";
    text += line % 7 == 6 ? "\n\n" : "\n";
  }
  return text;
}

std::unique_ptr<Task> make(const std::string& name, const TemporaryFolder& folder) {
  ::setenv("MOSAIC_CACHE", folder.file("cache").c_str(), 1);
  TaskSettings settings;
  settings.path = folder.path();
  settings.vocabulary = 40;
  settings.longest = 16;
  auto task = tasks::tasks().at(name).make(settings);
  ::unsetenv("MOSAIC_CACHE");
  return task;
}

}  // namespace

TEST_CASE("running text is guessed token by token") {
  const TemporaryFolder folder;
  folder.write("train.txt", running_text(300, 1));
  folder.write("valid.txt", running_text(40, 2));
  const auto task = make("causal-lm", folder);
  CHECK(task->size(Split::train) > 5 * task->size(Split::validation));
  CHECK(task->size(Split::test) > 5);
  const auto& shape = task->shape();
  const auto tokens_known = shape.inputs[0].range;
  CHECK((shape.output == std::vector<spaces::Dim>{{1, {"length"}}, {tokens_known, {}}}));
  CHECK(shape.typical.at("length") == 16);

  const auto batch = task->batch({.split = Split::test, .begin = 0, .count = 1000});
  const at::Tensor tokens = tensor(batch.inputs, "tokens"), next = tensor(batch.targets, "token");
  REQUIRE(tokens.size(1) == 16);
  // What is guessed is the token after, also from one stretch to the next; and no padding.
  CHECK(at::equal(tokens.narrow(1, 1, 15), next.narrow(1, 0, 15).clamp_min(0)));
  CHECK(at::equal(tokens.slice(0, 1).select(1, 0), next.slice(0, 0, -1).select(1, 15)));
  CHECK(next[0].ge(0).all().item<bool>());

  SECTION("losses and metrics agree with loops") {
    const NamedTensors targets{{"token", next.slice(0, next.size(0) - 3)}};
    const at::Tensor wanted = targets[0].second;
    auto generator = at::make_generator<at::CPUGeneratorImpl>(4);
    const at::Tensor outputs = at::randn({3, 16, tokens_known}, generator);
    outputs[0] += 5 * at::one_hot(wanted[0].clamp_min(0), tokens_known);  // one guesses well
    const at::Tensor losses = task->losses(outputs, targets, 0);
    double all = 0, count = 0, right = 0;
    for (std::int64_t row = 0; row < 3; ++row) {
      double sum = 0, own = 0, hits = 0;
      for (std::int64_t i = 0; i < 16; ++i) {
        const auto token = wanted[row][i].item<std::int64_t>();
        if (token < 0) continue;
        sum -= outputs[row][i].log_softmax(0)[token].item<double>();
        hits += outputs[row][i].argmax().item<std::int64_t>() == token ? 1 : 0;
        ++own;
      }
      CHECK(losses[row].item<double>() == Approx(sum / own));
      if (row == 0) {  // a teacher that is sure of the answers is the task itself
        const at::Tensor sure = 200 * at::one_hot(wanted.clamp_min(0), tokens_known).to(at::kFloat);
        CHECK(at::allclose(task->distillation_losses(outputs, sure, targets, 1), losses));
      }
      all += sum;
      count += own;
      right += hits / own / 3;
    }
    const auto found = [&](const std::string& name) {
      for (const auto& type : task->metrics())
        if (type.name == name) {
          const auto metric = type.make();
          metric->add(outputs.narrow(0, 0, 2), {{"token", wanted.narrow(0, 0, 2)}});
          metric->add(outputs.narrow(0, 2, 1), {{"token", wanted.narrow(0, 2, 1)}});
          CHECK(metric->result().error > 0);
          return metric->result().value;
        }
      return std::nan("");
    };
    CHECK(found("perplexity") == Approx(std::exp(all / count)));
    CHECK(found("token_accuracy") == Approx(100 * right));
  }
  SECTION("epochs are permutations of their own") {
    const auto count = task->size(Split::train);
    const auto epoch = [&](std::int64_t number) {
      return tensor(task->batch({.count = count, .epoch = number}).inputs, "tokens");
    };
    CHECK(at::equal(epoch(3), epoch(3)));
    CHECK_FALSE(at::equal(epoch(3), epoch(4)));
    CHECK(at::equal(std::get<0>(epoch(3).sum(1).sort()), std::get<0>(epoch(4).sum(1).sort())));
  }
}

TEST_CASE("tokens that were taken out are guessed from both sides") {
  const TemporaryFolder folder;
  folder.write("train.txt", running_text(2000, 1));
  const auto task = make("masked-lm", folder);
  const auto count = task->size(Split::train);
  const auto epoch = [&](std::int64_t number) {
    return task->batch({.count = count, .epoch = number});
  };
  const auto batch = epoch(0);
  const at::Tensor tokens = tensor(batch.inputs, "tokens"), wanted = tensor(batch.targets, "token");
  const at::Tensor asked = wanted.ge(0);
  const auto share = [](const at::Tensor& part, const at::Tensor& of) {
    return part.logical_and(of).sum().item<double>() / of.sum().item<double>();
  };
  const at::Tensor text = tokens.gt(kMask).logical_or(asked);
  CHECK(share(asked, text) == Approx(0.15).margin(0.02));
  CHECK(share(tokens.eq(kMask), asked) == Approx(0.8).margin(0.04));
  CHECK(share(tokens.eq(wanted), asked) == Approx(0.1).margin(0.04));
  CHECK_FALSE(tokens.eq(kMask).logical_and(asked.logical_not()).any().item<bool>());
  CHECK_FALSE(wanted.ge(0).logical_and(wanted.le(kMask)).any().item<bool>());
  CHECK(at::equal(tensor(epoch(0).targets, "token"), wanted));
  CHECK_FALSE(
      at::equal(tensor(epoch(1).inputs, "tokens").eq(kMask).sum(1), tokens.eq(kMask).sum(1)));
  CHECK(asked.any(1).all().item<bool>());  // of every stretch something is guessed
  // The same at every evaluation, in batches of any size.
  const auto held_out = [&](std::int64_t begin, std::int64_t examples) {
    return tensor(
        task->batch({.split = Split::validation, .begin = begin, .count = examples}).inputs,
        "tokens");
  };
  CHECK(at::equal(held_out(0, 20), held_out(0, 20)));
  CHECK(at::equal(held_out(0, 20).narrow(0, 7, 5), held_out(7, 5)));
}

TEST_CASE("text of a validation file is trained on where nothing is to be held out") {
  const TemporaryFolder folder;
  folder.write("train.txt", running_text(300, 1));
  folder.write("valid.txt", running_text(60, 2));
  folder.write("test.txt", running_text(40, 3));
  const auto own = make("causal-lm", folder);
  TaskSettings all;
  all.path = folder.path();
  all.longest = 16;
  all.validation = 0;
  all.hold_out = false;
  all.files = own->files();
  const auto whole = tasks::tasks().at("causal-lm").make(all);
  CHECK(whole->size(Split::train) == own->size(Split::train) + own->size(Split::validation));
  CHECK(whole->size(Split::validation) == 0);
  CHECK(whole->files() == own->files());
}

TEST_CASE("folders without running text are answered") {
  const TemporaryFolder folder;
  CHECK_THAT(refusal([&] { make("causal-lm", folder); }), Contains("holds no train.txt"));
  folder.write("train.txt", "\n\n");
  CHECK_THAT(refusal([&] { make("masked-lm", folder); }),
             Contains("there are no words in the text"));
  folder.write("train.txt", " \n\u3000\n\u200b\n");
  CHECK_THAT(refusal([&] { make("causal-lm", folder); }), Contains("there are no words"));
  folder.write("train.txt", "one line\n");
  CHECK_THAT(refusal([&] { make("causal-lm", folder); }),
             Contains("too few") || Contains("no vocabulary"));
}
