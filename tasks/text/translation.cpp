// Parallel text: two aligned files a split, a sentence a line.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "device.hpp"
#include "folders.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/tasks/task.hpp"
#include "soft_losses.hpp"
#include "text/bleu.hpp"
#include "text/text_files.hpp"
#include "text/token_metrics.hpp"
#include "text/token_store.hpp"
#include "text/tokenizer.hpp"

namespace mosaic::tasks {
namespace {

namespace fs = std::filesystem;

const std::string kSource = "source", kTarget = "target", kReference = "reference";
constexpr double kTestShare = 0.05;  // of a data set that comes without a test split

struct Pair {
  std::string source, target;
};

/// Endings of the files of a folder, such as "de": what `source` and `target` may be.
std::string endings(const std::string& folder) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    fs::path name = entry.path().filename();
    if (name.extension() == ".gz") name = name.stem();
    if (name.has_extension()) found.insert(name.extension().string().substr(1));
  }
  const std::vector<std::string> listed(found.begin(), found.end());
  return listed.empty() ? "the folder is empty" : "endings found: " + core::join(listed);
}

/// Stems of the files with this ending: "train", "val", "test_2016_flickr".
std::map<std::string, std::string> files_of(const std::string& folder, const std::string& ending) {
  std::map<std::string, std::string> result;
  for (const auto& entry : fs::directory_iterator(folder)) {
    fs::path name = entry.path().filename();
    if (name.extension() == ".gz") name = name.stem();
    if (name.extension() != "." + ending) continue;
    const auto [known, fresh] = result.try_emplace(name.stem().string(), entry.path().string());
    if (!fresh)
      throw core::Error(
          message("which of them is meant: {}, {}?", known->second, entry.path().string()),
          "leave one of them in the folder");
  }
  return result;
}

/// BLEU of what networks write against the lines of the split.
class Bleu : public Metric {
 public:
  Bleu(std::shared_ptr<const Tokenizer> tokenizer,
       std::shared_ptr<const std::vector<std::string>> references)
      : tokenizer_(std::move(tokenizer)), references_(std::move(references)) {}

  /// A row a sentence: its counts. On the CPU.
  at::Tensor measured(const at::Tensor& written, const NamedTensors& targets) const override {
    const at::Tensor tokens = written.to(at::kInt).cpu().contiguous();
    const at::Tensor numbers = tensor(targets, kReference).cpu();
    if (numbers.min().item<std::int64_t>() < 0)
      throw core::UsageError("BLEU is of sentences of the validation and test splits",
                             "name one of these splits");
    const auto length = static_cast<std::size_t>(tokens.size(1));
    std::vector<double> rows;
    for (std::int64_t row = 0; row < tokens.size(0); ++row) {
      const auto* begin = tokens.const_data_ptr<int>() + static_cast<std::size_t>(row) * length;
      const auto* end = std::find(begin, begin + length, static_cast<int>(kPadding));
      const auto counts =
          bleu_counts(tokenizer_->decode({begin, end}),
                      references_->at(static_cast<std::size_t>(numbers[row].item<std::int64_t>())));
      rows.insert(rows.end(), counts.matches.begin(), counts.matches.end());
      rows.insert(rows.end(), counts.totals.begin(), counts.totals.end());
      rows.insert(rows.end(),
                  {static_cast<double>(counts.written), static_cast<double>(counts.reference)});
    }
    return at::tensor(rows, at::kDouble).view({tokens.size(0), -1});
  }
  Estimate estimate(const at::Tensor& rows) const override {
    std::vector<BleuCounts> sentences(static_cast<std::size_t>(rows.size(0)));
    BleuCounts sum;
    const at::Tensor numbers = rows.contiguous();
    const double* next = numbers.const_data_ptr<double>();
    for (auto& one : sentences) {
      for (auto* counts : {&one.matches, &one.totals})
        for (auto& count : *counts) count = static_cast<std::int64_t>(*next++);
      one.written = static_cast<std::int64_t>(*next++);
      one.reference = static_cast<std::int64_t>(*next++);
      sum += one;
    }
    return {bleu(sum), bleu_error(sentences), rows.size(0)};
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const std::vector<std::string>> references_;
};

std::vector<MetricType> translation_metrics(std::function<std::unique_ptr<Metric>()> make_bleu) {
  auto result = token_metrics();
  result.push_back({.name = "bleu",
                    .unit = "",
                    .maximise = true,
                    .make = std::move(make_bleu),
                    .title = "BLEU",
                    .of_written = true});
  return result;
}

/// Inputs "source", int64 [batch, source_length], sentence </s>, and "target", int64 [batch,
/// target_length], <s> sentence. Targets "token", int64 [batch, target_length], sentence </s>,
/// padded with 0, and "reference", int64 [batch], the sentence's number. Output [batch,
/// target_length, vocabulary].
class Translation : public Task {
 public:
  explicit Translation(const TaskSettings& settings);

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(Split split) const override { return part(split).sources.count(); }
  std::string summary() const override { return summary_; }

  void to(const std::string& device) override {
    const auto where = parse_device(device);
    for (auto* part : {&train_, &validation_, &test_}) {
      part->sources.to(where);
      part->targets.to(where);
    }
  }
  Batch batch(const Selection& selection) const override;
  std::int64_t token_batches(std::int64_t tokens) const override {
    return batches_.batches(tokens);
  }

  /// Sums over a sentence's tokens, over the tokens that a sentence has on average: every token of
  /// an epoch counts alike, however sentences are put into batches.
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets,
                    double label_smoothing) const override {
    return token_losses(outputs, tensor(targets, kToken), label_smoothing).first / mean_tokens_;
  }
  at::Tensor loss_weights(const NamedTensors& targets) const override {
    return asked(tensor(targets, kToken)).ne(kNotAsked).sum(1).to(at::kFloat) / mean_tokens_;
  }
  bool takes_bfloat16() const override { return true; }
  at::Tensor distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                 const NamedTensors& targets, double temperature) const override {
    const at::Tensor wanted = asked(tensor(targets, kToken));
    return soft_losses(outputs, teacher, wanted, temperature) * wanted.ne(kNotAsked).sum(1) /
           mean_tokens_;
  }
  LossName loss_name() const override { return {"cross-entropy of a token", "nats"}; }
  std::vector<MetricType> metrics() const override {
    return translation_metrics([this] { return std::make_unique<Bleu>(tokenizer_, references_); });
  }
  std::optional<Writing> writing() const override { return writing_; }
  nlohmann::json preprocessing() const override {
    return {{kSource,
             {{"steps", "SentencePiece (tokenizer.model): sentence </s>, padded with 0"},
              {"longest", longest_}}},
            {kTarget, {{"steps", "<s> (2), then what was written so far"}, {"longest", longest_}}},
            {"output",
             {{"position", "logits of the next token; </s> (3) ends the translation"},
              {"languages", {from_, to_}}}}};
  }
  std::map<std::string, std::string> files() const override {
    return {{kTokenizerFile, tokenizer_->model()}};
  }

 private:
  struct Part {
    TokenStore sources, targets;  ///< sentence </s>; <s> sentence </s>
    /// Number of its first sentence among the references; so low that none is reached: it has none.
    std::int64_t first = -(std::int64_t{1} << 40);
  };
  const Part& part(Split split) const {
    return split == Split::train ? train_ : split == Split::validation ? validation_ : test_;
  }
  std::vector<Pair> read(const std::string& source, const std::string& target);
  Part encoded(const std::vector<Pair>& pairs, bool train);
  Batch gather(const Part& part, const at::Tensor& numbers) const;

  const std::string name_ = "translation";
  std::uint64_t seed_;
  std::int64_t longest_;
  std::string from_, to_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<std::vector<std::string>> references_ =
      std::make_shared<std::vector<std::string>>();
  Writing writing_;
  double mean_tokens_ = 1;  ///< of a training sentence's target, its end included
  std::int64_t empty_ = 0, too_long_ = 0;
  Part train_, validation_, test_;
  std::string checksum_, summary_;
  spaces::TaskShape shape_;
  TokenBatches batches_;
};

Translation::Translation(const TaskSettings& settings)
    : seed_(settings.seed),
      longest_(settings.longest),
      from_(settings.source),
      to_(settings.target),
      batches_(name_, "pairs of sentences", settings) {
  if (settings.path.empty())
    throw core::UsageError("the task translation needs a folder",
                           "set [task] path to one that holds, say, train.en and train.de");
  expect_folder(settings.path, "aligned files, such as train.en and train.de");
  if (settings.source.empty() || settings.target.empty())
    throw core::UsageError(
        "the task translation needs to know from which files to which it translates",
        "set [task] source and target to their endings (" + endings(settings.path) + ")");
  if (settings.source == settings.target)
    throw core::UsageError("source and target are both '" + settings.source + "'",
                           "name two endings (" + endings(settings.path) + ")");
  const auto sources = files_of(settings.path, settings.source);
  const auto targets = files_of(settings.path, settings.target);
  const auto both = [&](const std::string& stem) {
    const auto one = sources.find(stem), other = targets.find(stem);
    if (one == sources.end() && other == targets.end()) return false;
    if (one == sources.end() || other == targets.end())
      throw core::Error(message("{} has no counterpart that ends in '.{}'",
                                one == sources.end() ? other->second : one->second,
                                one == sources.end() ? settings.source : settings.target),
                        "check source and target (" + endings(settings.path) +
                            "); both sides of a translation must be there");
    return true;
  };
  const auto find = [&](std::initializer_list<const char*> stems) {
    return only_one(stems, [&](const char* stem) { return both(stem) ? stem : std::string(); });
  };
  const auto train_stem = find({"train"});
  if (train_stem.empty())
    throw core::Error(message("{} holds no train.{} and train.{} (or either with .gz)",
                              named(settings.path), settings.source, settings.target),
                      "put the training sentences there (" + endings(settings.path) + ")");
  auto held_out = find({"val", "valid", "dev", "validation"});
  auto test_stem = find({"test"});
  if (test_stem.empty()) {  // test_2016_flickr, newstest2014
    std::vector<std::string> tests;
    for (const auto& [stem, path] : sources)
      if (stem.find("test") != std::string::npos && both(stem)) tests.push_back(stem);
    if (tests.size() > 1)
      throw core::Error(
          message("{} holds several test sets: {}", named(settings.path), core::join(tests)),
          "leave one of them there, or name the one that counts test.");
    if (!tests.empty()) test_stem = tests[0];
  }
  if (test_stem.empty()) std::swap(test_stem, held_out);

  const auto pairs_of = [&](const std::string& stem) {
    return read(sources.at(stem), targets.at(stem));
  };
  auto train = pairs_of(train_stem);
  core::Stream(seed_, "validation split").shuffle(train);
  const auto take = [&](double share) {
    const auto count =
        static_cast<std::ptrdiff_t>(std::llround(share * static_cast<double>(train.size())));
    std::vector<Pair> taken(train.begin(), train.begin() + count);
    train.erase(train.begin(), train.begin() + count);
    return taken;
  };
  const std::vector<Pair> test = test_stem.empty() ? take(kTestShare) : pairs_of(test_stem);
  const auto limited = [&](std::vector<Pair>& pairs) {
    if (settings.limit > 0 && static_cast<std::size_t>(settings.limit) < pairs.size())
      pairs.resize(static_cast<std::size_t>(settings.limit));
  };
  limited(train);
  std::vector<Pair> validation;
  if (held_out.empty()) {
    validation = take(settings.validation);
  } else {
    validation = pairs_of(held_out);
    core::Stream(seed_, "validation order").shuffle(validation);
    limited(validation);
    if (!settings.hold_out) train.insert(train.end(), validation.begin(), validation.end());
  }
  if (!settings.hold_out) validation.clear();

  tokenizer_ = std::make_shared<const Tokenizer>(Tokenizer::of(settings, [&] {
    std::vector<std::string> lines;
    for (const auto& pair : train)
      for (const auto* side : {&pair.source, &pair.target}) lines.push_back(*side);
    return lines;
  }));
  train_ = encoded(train, true);
  // By the longer side, so that neighbours are about equally long on both.
  for (std::int64_t i = 0; i < train_.sources.count(); ++i)
    batches_.add(std::max(train_.sources.length(i), train_.targets.length(i)),
                 train_.sources.length(i));
  validation_ = encoded(validation, false);
  test_ = encoded(test, false);
  if (size(Split::train) < 1 || size(Split::test) < 1 ||
      (size(Split::validation) < 1 && settings.validation > 0))
    throw core::Error(message("{}: {} pairs of sentences to train, {} to validate, {} to test are "
                              "too few",
                              named(settings.path), size(Split::train), size(Split::validation),
                              size(Split::test)),
                      "add sentences, raise limit or longest, or change validation (0: none)");

  core::Hasher hasher;
  hasher.add(tokenizer_->model()).add(longest_);
  for (const auto* pairs :
       std::initializer_list<const std::vector<Pair>*>{&train, &validation, &test}) {
    hasher.add(static_cast<std::int64_t>(pairs->size()));
    for (const auto& pair : *pairs) hasher.add(pair.source).add(pair.target);
  }
  checksum_ = hasher.hex();

  const auto mean = [](const TokenStore& store) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < store.count(); ++i) sum += store.length(i);
    return static_cast<double>(sum) / static_cast<double>(store.count());
  };
  mean_tokens_ = mean(train_.targets) - 1;  // the begin is given
  const auto usual = [](double length) { return static_cast<std::int64_t>(std::ceil(length)); };
  const auto source_length = usual(mean(train_.sources)), target_length = usual(mean_tokens_);
  shape_ = spaces::translation_task(tokenizer_->size(), typical_length(settings, source_length),
                                    typical_length(settings, target_length));
  for (auto& port : shape_.inputs) port.longest = longest_;
  writing_.input = kTarget;
  writing_.begin = kBegin;
  writing_.end = kEnd;
  writing_.beam = settings.beam;
  writing_.length_penalty = settings.length_penalty;
  writing_.longest = longest_ - 1;  // and the begin
  summary_ = message(
      "{} pairs of sentences to train, {} to validate, {} to test; {} tokens, {} a sentence in {} "
      "and {} in {} on average",
      core::with_commas(size(Split::train)), core::with_commas(size(Split::validation)),
      core::with_commas(size(Split::test)), core::with_commas(tokenizer_->size()), source_length,
      settings.source, target_length, settings.target);
  if (empty_ > 0)
    summary_ += message("; {} with an empty side are left out", core::with_commas(empty_));
  if (too_long_ > 0)
    summary_ += message("; {} over {} tokens are left out of training, and cut elsewhere",
                        core::with_commas(too_long_), longest_);
}

std::vector<Pair> Translation::read(const std::string& source, const std::string& target) {
  auto from = read_lines(source), to = read_lines(target);
  if (from.size() != to.size())
    throw core::Error(message("{} has {} lines, and {} has {}", source,
                              core::with_commas(static_cast<std::int64_t>(from.size())), target,
                              core::with_commas(static_cast<std::int64_t>(to.size()))),
                      "line by line they must say the same: give both files as they were made");
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (core::trim(from[i]).empty() || core::trim(to[i]).empty())
      ++empty_;
    else
      pairs.push_back({std::move(from[i]), std::move(to[i])});
  }
  return pairs;
}

Translation::Part Translation::encoded(const std::vector<Pair>& pairs, bool train) {
  Part part;
  if (!train) part.first = static_cast<std::int64_t>(references_->size());
  const auto room = static_cast<std::size_t>(longest_) - 1;
  for (const auto& pair : pairs) {
    auto from = tokenizer_->encode(pair.source), to = tokenizer_->encode(pair.target);
    if (from.size() > room || to.size() > room) {
      ++too_long_;
      if (train) continue;  // half a sentence is no translation of the other half
      from.resize(std::min(from.size(), room));
      to.resize(std::min(to.size(), room));
    }
    std::vector<std::int64_t> source(from.begin(), from.end()), target{kBegin};
    source.push_back(kEnd);
    target.insert(target.end(), to.begin(), to.end());
    target.push_back(kEnd);
    part.sources.add(source);
    part.targets.add(target);
    if (!train) references_->push_back(pair.target);
  }
  part.sources.to(at::kCPU);
  part.targets.to(at::kCPU);
  return part;
}

Batch Translation::gather(const Part& part, const at::Tensor& numbers) const {
  const at::Tensor target = part.targets.batch(numbers, longest_, 1);
  const std::int64_t length = target.size(1) - 1;
  return {{{kSource, part.sources.batch(numbers, longest_)},
           {kTarget, target.narrow(1, 0, length).contiguous()}},
          {{kToken, target.narrow(1, 1, length).contiguous()},
           {kReference, (numbers + part.first).to(target.device())}}};
}

Batch Translation::batch(const Selection& selection) const {
  const Part& wanted = selection.epoch < 0 ? part(selection.split) : train_;
  return gather(wanted, batches_.numbers(selection, wanted.sources.count()));
}

constexpr const char* kExplanation =
    R"(  path/train.SOURCE, path/train.TARGET   the training sentences, line by line each other's
                                         translation; any of the files may be .gz
  path/val.SOURCE, path/val.TARGET       the validation split (valid, dev, validation); where there
                                         is none it is drawn from train
  path/test.SOURCE, path/test.TARGET     the test split, or the only pair with "test" in its name;
                                         where there is neither, the validation split
SOURCE and TARGET are what `source` and `target` say, such as "en" and "de". Tokens are SentencePiece's,
of both languages together: at most `vocabulary`, learned from the training split, or those of the model
file `tokenizer`. Training pairs longer than `longest` tokens are left out. BLEU is that of sacreBLEU
(13a, cased), of translations written with `beam` hypotheses and `length_penalty`.)";

const core::Registered kEntry{
    tasks(), "translation", "parallel text: aligned files in two languages",
    TaskType{[](const TaskSettings& settings) -> std::unique_ptr<Task> {
               return std::make_unique<Translation>(settings);
             },
             translation_metrics([]() -> std::unique_ptr<Metric> {
               throw std::logic_error("BLEU needs the task's sentences: ask a task for it");
             }),
             kExplanation, text_keys({"source", "target", "beam", "length_penalty"})}};

}  // namespace
}  // namespace mosaic::tasks
