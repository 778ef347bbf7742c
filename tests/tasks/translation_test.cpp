#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "files.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/tasks/task.hpp"
#include "text/token_store.hpp"
#include "text/tokenizer.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

/// Sentences and their "translation": each word another one, in the same order.
std::pair<std::string, std::string> parallel_text(int lines, std::uint64_t seed) {
  static const std::vector<std::pair<std::string, std::string>> words = {
      {"the", "die"},   {"ship", "Schiff"}, {"home", "heim"}, {"and", "und"},
      {"gull", "Möwe"}, {"cried", "rief"},  {"tide", "Flut"}, {"low", "niedrig"}};
  core::Stream stream(seed, "text");
  std::string source, target;
  for (int line = 0; line < lines; ++line) {
    for (std::uint64_t left = 2 + stream.below(8); left > 0; --left) {
      const auto& [from, to] = words[stream.below(words.size())];
      source += from + (left > 1 ? " " : ".");
      target += to + (left > 1 ? " " : ".");
    }
    source += "\n";
    target += "\n";
  }
  return {source, target};
}

void write_split(const TemporaryFolder& folder, const std::string& stem, int lines,
                 std::uint64_t seed) {
  const auto [source, target] = parallel_text(lines, seed);
  folder.write(stem + ".en", source);
  folder.write(stem + ".de", target);
}

std::unique_ptr<Task> make(const TemporaryFolder& folder,
                           const std::function<void(TaskSettings&)>& change = {}) {
  ::setenv("MOSAIC_CACHE", folder.file("cache/x").c_str(), 1);
  TaskSettings settings;
  settings.path = folder.path();
  settings.source = "en";
  settings.target = "de";
  settings.vocabulary = 60;
  settings.longest = 32;
  if (change) change(settings);
  auto task = tasks::tasks().at("translation").make(settings);
  ::unsetenv("MOSAIC_CACHE");
  return task;
}

std::vector<std::int64_t> row(const at::Tensor& tensor, std::int64_t at) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < tensor.size(1); ++i)
    result.push_back(tensor[at][i].item<std::int64_t>());
  return result;
}

}  // namespace

TEST_CASE("pairs of sentences: what is given, what is written, what is guessed") {
  const TemporaryFolder folder;
  write_split(folder, "train", 300, 1);
  write_split(folder, "val", 40, 2);
  write_split(folder, "test_2020", 30, 3);
  const auto task = make(folder);
  CHECK(task->size(Split::train) == 300);
  CHECK(task->size(Split::validation) == 40);
  CHECK(task->size(Split::test) == 30);
  CHECK(task->shape().written == "target");
  CHECK(task->shape().inputs.size() == 2);

  const auto batch = task->batch({.split = Split::test, .begin = 0, .count = 30});
  const at::Tensor source = tensor(batch.inputs, "source"), target = tensor(batch.inputs, "target"),
                   token = tensor(batch.targets, "token");
  REQUIRE(target.sizes() == token.sizes());
  for (std::int64_t i = 0; i < 30; ++i) {
    const auto given = row(target, i), guessed = row(token, i);
    CHECK(given[0] == kBegin);
    // What is guessed at a position is what is given at the next one; after the end nothing is.
    bool ended = false;
    for (std::size_t at = 0; at < guessed.size(); ++at) {
      CHECK((guessed[at] == kPadding) == ended);
      if (at + 1 < given.size() && !ended) CHECK(given[at + 1] == guessed[at]);
      ended = ended || guessed[at] == kEnd;
    }
    CHECK(ended);
    const auto from = row(source, i);
    CHECK(std::count(from.begin(), from.end(), kEnd) == 1);
  }
}

TEST_CASE("every training pair is seen once an epoch, neighbours of like length") {
  const TemporaryFolder folder;
  write_split(folder, "train", 320, 1);
  const auto task = make(folder);
  CHECK(task->size(Split::train) + task->size(Split::validation) + task->size(Split::test) == 320);
  const std::int64_t size = 16, batches = task->size(Split::train) / size;
  std::multiset<std::vector<std::int64_t>> seen, again;
  double padding = 0, all = 0;
  for (const std::int64_t epoch : {0, 1})
    for (std::int64_t i = 0; i < batches; ++i) {
      const auto batch = task->batch({.begin = i * size, .count = size, .epoch = epoch});
      const at::Tensor source = tensor(batch.inputs, "source");
      padding += source.eq(0).sum().item<double>();
      all += static_cast<double>(source.numel());
      for (std::int64_t r = 0; r < size; ++r) {
        auto tokens = row(source, r);
        tokens.erase(std::remove(tokens.begin(), tokens.end(), 0), tokens.end());
        (epoch == 0 ? seen : again).insert(tokens);
      }
    }
  CHECK(seen.size() == static_cast<std::size_t>(batches * size));
  CHECK(padding / all < 0.25);
  const auto first = [&](std::int64_t epoch) {
    return tensor(task->batch({.begin = 0, .count = size, .epoch = epoch}).inputs, "source");
  };
  CHECK(at::equal(first(3), first(3)));
  CHECK_FALSE(at::equal(first(3), first(4)));
}

TEST_CASE("batches of tokens hold as many pairs as fit, and every pair is seen once an epoch") {
  const TemporaryFolder folder;
  write_split(folder, "train", 320, 1);
  const auto task = make(folder);
  constexpr std::int64_t kTokens = 100;
  const auto batches = task->token_batches(kTokens);
  CHECK(batches > 5);
  const auto batch = [&](std::int64_t i, std::int64_t epoch, std::int64_t order) {
    return task->batch({.begin = i, .epoch = epoch, .tokens = kTokens, .order = order});
  };
  const auto all = task->batch({.begin = 0, .count = task->size(Split::train)});
  for (const std::int64_t epoch : {0, 1}) {
    std::multiset<std::vector<std::int64_t>> seen, stored;
    const at::Tensor source = tensor(all.inputs, "source");
    const auto add = [](std::multiset<std::vector<std::int64_t>>& to, const at::Tensor& from) {
      for (std::int64_t r = 0; r < from.size(0); ++r) {
        auto tokens = row(from, r);
        tokens.erase(std::remove(tokens.begin(), tokens.end(), kPadding), tokens.end());
        to.insert(tokens);
      }
    };
    add(stored, source);
    std::set<std::int64_t> sizes;
    for (std::int64_t i = 0; i < batches; ++i) {
      const auto one = batch(i, epoch, 0);
      for (const auto& [name, tokens] : one.inputs) CHECK(tokens.numel() <= kTokens);
      sizes.insert(one.examples());
      // Networks side by side see other pairs, as many of them.
      CHECK(batch(i, epoch, 7).examples() == one.examples());
      add(seen, tensor(one.inputs, "source"));
    }
    CHECK(sizes.size() > 2);
    CHECK(seen == stored);
  }
  const auto first = [&](std::int64_t epoch, std::int64_t order) {
    return tensor(batch(0, epoch, order).inputs, "source");
  };
  CHECK(at::equal(first(3, 1), first(3, 1)));
  CHECK_FALSE(at::equal(first(3, 1), first(3, 2)));
  CHECK_FALSE(at::equal(first(3, 1), first(4, 1)));
  CHECK_THROWS_AS(batch(batches, 0, 0), std::out_of_range);
  // A pair of more tokens than that is a batch of its own.
  CHECK(task->token_batches(8) > batches);
  CHECK(batch(0, 0, 0).examples() >= 1);
}

TEST_CASE("costs are counted at the lengths that the job gives") {
  const TemporaryFolder folder;
  write_split(folder, "train", 300, 1);
  CHECK(make(folder)->shape().typical.at("source_length") < 30);
  const auto given = make(folder, [](TaskSettings& s) { s.typical_length = 30; });
  CHECK(given->shape().typical == spaces::Symbols{{"source_length", 30}, {"target_length", 30}});
}

TEST_CASE("every token of an epoch counts alike, and padding not at all") {
  const TemporaryFolder folder;
  write_split(folder, "train", 200, 1);
  write_split(folder, "val", 20, 2);
  write_split(folder, "test", 20, 3);
  const auto task = make(folder);
  const auto all = task->batch({.split = Split::train, .begin = 0, .count = 200});
  const at::Tensor token = tensor(all.targets, "token");
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const at::Tensor outputs =
      at::randn({token.size(0), token.size(1), task->shape().inputs[0].range}, generator);
  // The mean over the training sentences is the mean over their tokens.
  const at::Tensor likely = outputs.log_softmax(2).gather(2, token.unsqueeze(2)).squeeze(2);
  const at::Tensor asked = token.ne(0);
  const double expected = -(likely * asked).sum().item<double>() / asked.sum().item<double>();
  CHECK(task->losses(outputs, all.targets, 0).mean().item<double>() ==
        Approx(expected).epsilon(1e-5));
  const auto perplexity = task->metrics().at(0).make();
  perplexity->add(outputs, all.targets);
  CHECK(perplexity->result().value == Approx(std::exp(expected)).epsilon(1e-5));
  // So is the loss of any other sentences, however long they are, and its error that of perplexity.
  const auto some = task->batch({.split = Split::validation, .begin = 3, .count = 9});
  const at::Tensor of_some =
      outputs.narrow(0, 0, 9).narrow(1, 0, tensor(some.targets, "token").size(1));
  const auto loss = all_metrics(*task).back().make(), other = task->metrics().at(0).make();
  for (const auto& metric : {loss.get(), other.get()}) metric->add(of_some, some.targets);
  CHECK(std::exp(loss->result().value) == Approx(other->result().value).epsilon(1e-5));
  CHECK(loss->result().error ==
        Approx(other->result().error / other->result().value).epsilon(1e-4));
}

TEST_CASE("BLEU of what was written is of the split's own sentences") {
  const TemporaryFolder folder;
  write_split(folder, "train", 300, 1);
  write_split(folder, "val", 20, 2);
  write_split(folder, "test", 20, 3);
  const auto task = make(folder);
  const auto type = task->metrics().at(2);
  REQUIRE(type.name == "bleu");
  REQUIRE(type.of_written);
  const auto all = task->batch({.split = Split::test, .begin = 0, .count = 20});
  const auto score = [&](const at::Tensor& written, const NamedTensors& targets) {
    const auto metric = type.make();
    metric->add(written, targets);
    return metric->result();
  };
  const at::Tensor token = tensor(all.targets, "token");
  const at::Tensor right = token.masked_fill(token.eq(kEnd), 0);
  CHECK(score(right, all.targets).value == Approx(100));
  CHECK(score(right, all.targets).examples == 20);
  CHECK(score(right.roll(1, 0), all.targets).value < 60);
  CHECK_THROWS_WITH(
      score(right, task->batch({.split = Split::train, .begin = 0, .count = 20}).targets),
      Contains("validation and test"));
}

TEST_CASE("files that are no parallel text are refused, and what to do is said") {
  const TemporaryFolder folder;
  CHECK_THAT(refusal([&] { make(folder); }), Contains("holds no train.en and train.de"));
  write_split(folder, "train", 100, 1);
  CHECK_THAT(refusal([&] { make(folder, [](auto& s) { s.target = ""; }); }),
             Contains("endings found: de, en"));
  CHECK_THAT(refusal([&] { make(folder, [](auto& s) { s.target = "fr"; }); }),
             Contains("train.en has no counterpart that ends in '.fr'"));
  folder.write("train.de.gz", "x");
  CHECK_THAT(refusal([&] { make(folder); }), Contains("which of them is meant"));
  std::filesystem::remove(folder.file("train.de.gz"));
  folder.write("val.en", "one\ntwo\n");
  folder.write("val.de", "eins\n");
  CHECK_THAT(refusal([&] { make(folder); }),
             Contains("val.en has 2 lines") && Contains("val.de has 1"));
  folder.write("val.de", "eins\n\n");
  CHECK_THAT(make(folder)->summary(), Contains("1 with an empty side are left out"));
  folder.write("val.de", std::string("eins\n") + "\xC4" + "pfel\n");
  CHECK_THAT(refusal([&] { make(folder); }), Contains("val.de:2: the text is not UTF-8"));
  write_split(folder, "val", 10, 2);
  write_split(folder, "test_a", 10, 2);
  write_split(folder, "test_b", 10, 2);
  CHECK_THAT(refusal([&] { make(folder); }), Contains("several test sets: test_a, test_b"));
}

TEST_CASE("sentences that are too long are left out of training and cut elsewhere") {
  const TemporaryFolder folder;
  write_split(folder, "train", 200, 1);
  std::string longer;
  for (int i = 0; i < 60; ++i) longer += "ship ";
  folder.write("train.en", longer + "\n" + parallel_text(200, 1).first);
  folder.write("train.de", "Schiff\n" + parallel_text(200, 1).second);
  folder.write("val.en", longer + "\n");
  folder.write("val.de", longer + "\n");
  folder.write("test.en", "ship\n");
  folder.write("test.de", "Schiff\n");
  const auto task = make(folder);
  CHECK(task->size(Split::train) == 200);
  CHECK_THAT(task->summary(), Contains("2 over 32 tokens are left out of training, and cut"));
  const auto batch = task->batch({.split = Split::validation, .begin = 0, .count = 1});
  CHECK(tensor(batch.inputs, "source").size(1) == 32);
  CHECK(tensor(batch.inputs, "target").size(1) == 32);
}

TEST_CASE("a training beside the job's own takes its vocabulary, and all but the test sentences") {
  const TemporaryFolder folder;
  write_split(folder, "train", 300, 1);
  write_split(folder, "test", 20, 3);
  const auto own = make(folder);
  const auto all = [](const Task& of) {
    return [files = of.files()](TaskSettings& s) {
      s.validation = 0;
      s.hold_out = false;
      s.files = files;
    };
  };
  auto whole = make(folder, all(*own));
  CHECK(whole->size(Split::train) == 300);
  CHECK(whole->size(Split::validation) == 0);
  CHECK(whole->files() == own->files());
  // Sentences that have files of their own are trained on as well.
  write_split(folder, "val", 40, 2);
  const auto held = make(folder);
  whole = make(folder, all(*held));
  CHECK(held->size(Split::train) == 300);
  CHECK(whole->size(Split::train) == 340);
  CHECK(whole->files() == held->files());
  write_split(folder, "dev", 40, 2);
  CHECK_THAT(refusal([&] { make(folder); }),
             Contains("which of them is the validation split: val, dev"));
}

TEST_CASE("lengths are rounded up as far as networks know positions") {
  CHECK(rounded_length(9, 100) == 16);
  CHECK(rounded_length(8, 100) == 8);
  CHECK(rounded_length(97, 100) == 100);
  CHECK(rounded_length(9, 9) == 9);
  CHECK(rounded_length(1, 64) == 8);
}
