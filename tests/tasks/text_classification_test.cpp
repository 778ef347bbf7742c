#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <set>

#include "classification.hpp"
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

/// The cache of vocabularies is the test's own while it lives.
class Cache {
 public:
  Cache() { ::setenv("MOSAIC_CACHE", folder_.path().c_str(), 1); }
  ~Cache() { ::unsetenv("MOSAIC_CACHE"); }
  std::filesystem::path models() const {
    return std::filesystem::path(folder_.path()) / "tokenizers";
  }

 private:
  TemporaryFolder folder_;
};

/// A sentence of some words, which are happy ones or sad ones.
std::string sentence(core::Stream& stream, bool happy) {
  static const std::vector<std::string> words = {"the",   "old",  "film",  "told", "a",
                                                 "story", "of",   "rain",  "and",  "river",
                                                 "house", "tree", "quiet", "very"};
  std::string text = happy ? "good" : "bad";
  for (std::uint64_t left = 2 + stream.below(12); left > 0; --left)
    text += " " + words[stream.below(words.size())];
  return text;
}

std::string table(int rows, std::uint64_t seed, bool header = true) {
  core::Stream stream(seed, "sentences");
  std::string text = header ? "label\tsentence\n" : "";
  for (int i = 0; i < rows; ++i)
    text += std::to_string(i % 2) + "\t" + sentence(stream, i % 2 == 1) + "\n";
  return text;
}

std::unique_ptr<Task> make(const TemporaryFolder& folder, TaskSettings settings = {}) {
  settings.path = folder.path();
  if (settings.vocabulary == 8000) settings.vocabulary = 60;
  return tasks::tasks().at("text-classification").make(settings);
}

}  // namespace

TEST_CASE("labelled sentences become a task: ports, splits, padding, a vocabulary of their own") {
  const Cache cache;
  const TemporaryFolder folder;
  folder.write("train.tsv", table(400, 1));
  folder.write("dev.tsv", table(60, 2));
  const auto task = make(folder);
  CHECK(task->size(Split::train) == 360);
  CHECK(task->size(Split::validation) == 40);
  CHECK(task->size(Split::test) == 60);
  const auto& port = task->shape().inputs.at(0);
  CHECK(port.name == "tokens");
  CHECK(port.range <= 60);
  CHECK(task->shape().typical.at("length") > 4);
  CHECK_THAT(task->summary(), Contains("360 sentences to train, 40 to validate, 60 to test"));

  const auto batch = task->batch({.split = Split::validation, .begin = 0, .count = 40});
  const at::Tensor tokens = tensor(batch.inputs, "tokens");
  CHECK(tokens.scalar_type() == at::kLong);
  CHECK(tokens.select(1, 0).eq(kBegin).all().item<bool>());
  CHECK(tokens.max().item<std::int64_t>() < port.range);
  const auto tokenizer = [&] {
    folder.write("own.model", task->files().at("tokenizer.model"));
    return Tokenizer::from_file(folder.file("own.model"));
  }();
  for (std::int64_t row = 0; row < 40; ++row) {  // good is 1, bad is 0
    const at::Tensor own = tokens[row].to(at::kInt);
    const std::string text =
        tokenizer.decode({own.data_ptr<std::int32_t>(), static_cast<std::size_t>(own.numel())});
    const auto label = tensor(batch.targets, "class")[row].item<std::int64_t>();
    CHECK(text.substr(0, 3) == (label == 1 ? "goo" : "bad"));
    // Padding follows the end alone.
    const auto end = own.eq(static_cast<std::int64_t>(kEnd)).nonzero()[0].item<std::int64_t>();
    CHECK(own.narrow(0, end + 1, own.numel() - end - 1).eq(0).all().item<bool>());
    CHECK(own.narrow(0, 0, end).ne(0).all().item<bool>());
  }
  // Longest of its own examples, not of the split.
  CHECK(
      task->batch({.split = Split::validation, .begin = 3, .count = 1}).inputs[0].second.size(1) ==
      tokens[3].ne(0).sum().item<std::int64_t>());

  SECTION("the vocabulary is kept, and the same again") {
    CHECK(std::distance(std::filesystem::directory_iterator(cache.models()), {}) == 1);
    const auto again = make(folder);
    CHECK(again->checksum() == task->checksum());
    CHECK(again->files() == task->files());
    for (const auto& entry : std::filesystem::directory_iterator(cache.models()))
      std::filesystem::resize_file(entry.path(), 100);  // half a file is learned anew
    CHECK(make(folder)->checksum() == task->checksum());
    CHECK(make(folder, {.seed = 2})->checksum() != task->checksum());
    CHECK(make(folder, {.tokenizer = folder.file("own.model")})->checksum() == task->checksum());
  }
  SECTION(
      "an epoch has every sentence once, in an order of its own, neighbours about equally long") {
    const auto epoch = [&](std::int64_t number, std::int64_t order) {
      std::vector<std::string> rows;
      std::int64_t padding = 0;
      for (std::int64_t begin = 0; begin < 360; begin += 20) {
        const auto part =
            task->batch({.begin = begin, .count = 20, .epoch = number, .order = order});
        const at::Tensor all = tensor(part.inputs, "tokens");
        padding += all.eq(0).sum().item<std::int64_t>();
        for (std::int64_t row = 0; row < 20; ++row) {
          std::string text;
          for (std::int64_t i = 0; i < all.size(1); ++i)
            if (const auto token = all[row][i].item<std::int64_t>(); token != 0)
              text += std::to_string(token) + " ";
          const auto label = tensor(part.targets, "class")[row].item<std::int64_t>();
          rows.push_back(text + "is " + std::to_string(label));
        }
      }
      return std::pair(rows, padding);
    };
    auto [first, padding] = epoch(0, 0);
    CHECK(epoch(0, 0).first == first);
    CHECK(epoch(1, 0).first != first);
    CHECK(epoch(0, 1).first != first);
    auto second = epoch(1, 0).first;
    std::sort(first.begin(), first.end());
    std::sort(second.begin(), second.end());
    CHECK(first == second);
    CHECK(padding < 360);  // at random it would be some 2,000
  }
}

TEST_CASE(
    "where there are a dev and a test table, the search judges by dev; pairs; csv.gz; limits") {
  const Cache cache;
  const TemporaryFolder folder;
  folder.write(
      "train.csv",
      "sentence1,sentence2,label\n\"a, b c d e f\",a b,yes\nf e d,c b a,no\na b c,f e,yes\n"
      "d e f,\"a \"\"b\"\" c\",no\n");
  folder.write("valid.csv", "sentence1,sentence2,label\na b,c d,yes\n");
  folder.write("test.csv", "sentence1,sentence2,label\na b,c d,no\nf,f,no\n");
  const auto task = make(folder, {.vocabulary = 20, .longest = 9});
  CHECK(task->size(Split::train) == 4);
  CHECK(task->size(Split::validation) == 1);
  CHECK(task->size(Split::test) == 2);
  const auto tokens = task->batch({.split = Split::test, .begin = 0, .count = 1}).inputs[0].second;
  CHECK(tokens.eq(static_cast<std::int64_t>(kEnd)).sum().item<std::int64_t>() ==
        2);  // one after each
  CHECK(task->batch({.count = 4, .epoch = 0}).inputs[0].second.size(1) <= 9);
  CHECK_THAT(task->summary(), Contains("cut to 9 tokens"));
}

TEST_CASE("sentences of a validation file are trained on where nothing is to be held out") {
  const TemporaryFolder folder;
  const Cache cache;
  folder.write("train.tsv", table(200, 1));
  folder.write("dev.tsv", table(40, 2));
  folder.write("test.tsv", table(30, 3));
  const auto own = make(folder);
  TaskSettings all;
  all.validation = 0;
  all.hold_out = false;
  all.files = own->files();
  const auto whole = make(folder, all);
  CHECK(whole->size(Split::train) == own->size(Split::train) + own->size(Split::validation));
  CHECK(whole->size(Split::validation) == 0);
  CHECK(whole->files() == own->files());
}

TEST_CASE("tables that are no data are answered with file, line and what to do") {
  const Cache cache;
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& name, const std::string& content) {
    const TemporaryFolder own;
    own.write(name, content);
    return refusal([&] { make(own); });
  };
  CHECK_THAT(refusal([&] { make(folder); }), Contains("holds no train.tsv"));
  CHECK_THAT(refused("train.tsv", ""), Contains("is empty"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n"), Contains("no rows below its header"));
  CHECK_THAT(refused("train.tsv", "label\tphrase\n1\tgood\n"),
             Contains("has no column 'sentence'; its columns: label, phrase"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n1\tgood\n0\tbad\tworse\n"),
             Contains("train.tsv:3: 3 cells, and the header has 2"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n1\tgood\n\tbad\n"),
             Contains("train.tsv:3: the label is empty"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n1\tg\xFCt\n"),
             Contains("train.tsv:2: the text is not UTF-8"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n1\t" + std::string(100'000, 'x') + "\n"),
             Contains("train.tsv:2: a line of 100,002 characters is no sentence"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\n" + std::string("1\tgood film\n") +
                                      "1\tgood story\n1\tgood\n1\tvery good\n"),
             Contains("1 different value:"));
  const std::string blank = "label\tsentence\n1\t \n0\t\u3000\u200b\n";
  CHECK_THAT(refused("train.tsv", blank + blank.substr(15) + blank.substr(15) + blank.substr(15)),
             Contains("there are no words in the text"));
  CHECK_THAT(refused("train.tsv", "\xFF\xFEl\0a\0"), Contains("is UTF-16"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\ttext\n1\ta\tb\n"),
             Contains("has a column 'sentence' and a column 'text'"));
  CHECK_THAT(refused("train.tsv", "label\tsentence\tlabel\n1\ta\tb\n"),
             Contains("train.tsv:1: column 'label' appears twice"));
  {
    const TemporaryFolder own;
    own.write("train.tsv", table(40, 1));
    own.write("dev.csv", "label,sentence1,sentence2\n1,good,film\n");
    CHECK_THAT(refusal([&] { make(own); }),
               Contains("has single sentences, and") && Contains("dev.csv has pairs"));
  }
  {  // classes are those of the whole file, whatever is drawn or left out of it
    const TemporaryFolder own;
    std::string rare = table(60, 1);
    for (char c = 'a'; c <= 'z'; ++c) rare += std::string("rare ") + c + "\ta rare film\n";
    own.write("train.tsv", rare);
    for (const std::int64_t limit : {0, 30}) {
      TaskSettings settings;
      settings.limit = limit;
      CHECK(make(own, settings)->shape().output[0].factor == 28);
    }
  }
  {
    const TemporaryFolder own;
    own.write("train.tsv", table(40, 1));
    own.write("dev.tsv", "label\tsentence\n2\tneither\n");
    CHECK_THAT(refusal([&] { make(own); }),
               Contains("label '2' does not occur among the training sentences"));
    own.write("train.csv", "label,sentence\n");
    CHECK_THAT(refusal([&] { make(own); }), Contains("which of them is meant"));
  }
  {
    const TemporaryFolder own;
    own.write("train.tsv", table(40, 1));
    own.write("mine.model", "no model");
    CHECK_THAT(refusal([&] { make(own, {.tokenizer = own.file("mine.model")}); }),
               Contains("is no SentencePiece model"));
  }
}

TEST_CASE("F1 and Matthews' correlation agree with their definitions") {
  const auto of = [](const std::string& name, const std::vector<std::int64_t>& truth,
                     const std::vector<std::int64_t>& given, std::int64_t classes) {
    for (const auto& type : sentence_metrics())
      if (type.name == name) {
        const auto metric = type.make();
        const auto half = static_cast<std::int64_t>(truth.size() / 2);
        const auto outputs = at::one_hot(at::tensor(given, at::kLong), classes).to(at::kFloat);
        const auto targets = at::tensor(truth, at::kLong);
        metric->add(outputs.narrow(0, 0, half), {{kClass, targets.narrow(0, 0, half)}});
        metric->add(outputs.narrow(0, half, outputs.size(0) - half),
                    {{kClass, targets.narrow(0, half, outputs.size(0) - half)}});
        return metric->result().value;
      }
    return std::nan("");
  };
  // 3 true positives, 1 false positive, 2 false negatives, 2 true negatives.
  const std::vector<std::int64_t> truth = {1, 1, 1, 0, 1, 1, 0, 0},
                                  given = {1, 1, 1, 1, 0, 0, 0, 0};
  CHECK(of("f1", truth, given, 2) == Approx(100 * 2 * 3.0 / (2 * 3 + 1 + 2)));
  CHECK(of("matthews", truth, given, 2) ==
        Approx(100 * (3 * 2 - 1 * 2) / std::sqrt(4.0 * 5.0 * 3.0 * 4.0)));
  CHECK(of("accuracy", truth, given, 2) == Approx(62.5));
  CHECK(of("matthews", {1, 1, 1}, {1, 1, 1}, 2) == 0);
  // The mean over three classes: 2/3, 4/5, 1.
  CHECK(of("f1", {0, 0, 1, 1, 2}, {0, 1, 1, 1, 2}, 3) == Approx(100 * (2.0 / 3 + 4.0 / 5 + 1) / 3));
}
