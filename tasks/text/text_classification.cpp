// Labelled sentences, or pairs of them, in tables that a user has.
#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "classification.hpp"
#include "device.hpp"
#include "folders.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/tasks/task.hpp"
#include "text/text_files.hpp"
#include "text/token_store.hpp"
#include "text/tokenizer.hpp"

namespace mosaic::tasks {
namespace {

const std::string kTokens = "tokens", kLength = "length";
constexpr double kTestShare = 0.1;  // of a data set that comes without a test split
constexpr std::size_t kMostClasses = 1000;

struct Example {
  std::string first, second, label;
};

/// The column of one of these names. Throws core::Error where there are several.
std::optional<std::size_t> column(const core::CsvTable& table,
                                  std::initializer_list<const char*> names) {
  std::optional<std::size_t> result;
  for (const char* name : names) {
    const auto found = table.find(name);
    if (found && result)
      throw core::Error(message("{} has a column '{}' and a column '{}'", table.origin,
                                table.columns[*result], name),
                        "rename the one that is not meant");
    if (found) result = found;
  }
  return result;
}

struct Table {
  std::vector<Example> examples;
  bool pairs = false;
};

Table read_examples(const std::string& path) {
  const auto table = read_table(path);
  const auto label = column(table, {"label", "class"});
  const auto first = column(table, {"sentence", "text", "sentence1"});
  const auto second = column(table, {"sentence2", "text2"});
  if (!label || !first)
    throw core::Error(
        message("{} has no column '{}'; its columns: {}", path, label ? "sentence" : "label",
                core::join(table.columns)),
        "name the columns label (or class), sentence (or text, sentence1), and for pairs "
        "sentence2 (or text2)");
  std::vector<Example> examples;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const auto& cells = table.rows[row];
    if (core::trim(cells[*label]).empty())
      throw core::Error(table.place(row) + "the label is empty", "give every sentence its label");
    examples.push_back({cells[*first], second ? cells[*second] : std::string(),
                        std::string(core::trim(cells[*label]))});
  }
  return {std::move(examples), second.has_value()};
}

template <class T>
std::vector<T> take(std::vector<T>& values, double share) {
  const auto count =
      static_cast<std::ptrdiff_t>(std::llround(share * static_cast<double>(values.size())));
  std::vector<T> taken(values.begin(), values.begin() + count);
  values.erase(values.begin(), values.begin() + count);
  return taken;
}

/// <begin> first [<end> second] <end>, the longer part cut where they are too long.
std::vector<std::int64_t> sequence(const Tokenizer& tokenizer, const Example& example,
                                   std::int64_t longest, bool& cut) {
  auto first = tokenizer.encode(example.first), second = tokenizer.encode(example.second);
  const auto room = static_cast<std::size_t>(longest) - (second.empty() ? 2 : 3);
  cut = first.size() + second.size() > room;
  while (first.size() + second.size() > room)
    (first.size() > second.size() ? first : second).pop_back();
  std::vector<std::int64_t> tokens{kBegin};
  tokens.insert(tokens.end(), first.begin(), first.end());
  tokens.push_back(kEnd);
  if (!second.empty()) {
    tokens.insert(tokens.end(), second.begin(), second.end());
    tokens.push_back(kEnd);
  }
  return tokens;
}

/// Input "tokens", int64 [batch, length], padded with 0, and target "class", int64 [batch].
class TextClassification : public Task {
 public:
  explicit TextClassification(const TaskSettings& settings);

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(Split split) const override { return part(split).tokens.count(); }
  std::string summary() const override { return summary_; }

  void to(const std::string& device) override {
    const auto where = parse_device(device);
    for (auto* part : {&train_, &validation_, &test_}) {
      part->tokens.to(where);
      part->labels = part->labels.to(where);
    }
  }
  Batch batch(const Selection& selection) const override;
  std::int64_t token_batches(std::int64_t tokens) const override {
    return batches_.batches(tokens);
  }
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets,
                    double label_smoothing) const override {
    return class_losses(outputs, targets, label_smoothing);
  }
  bool takes_bfloat16() const override { return true; }
  at::Tensor output_gradient_norms(const at::Tensor& outputs,
                                   const NamedTensors& targets) const override {
    return class_gradient_norms(outputs, targets);
  }
  at::Tensor distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                 const NamedTensors& targets, double temperature) const override {
    return class_distillation_losses(outputs, teacher, targets, temperature);
  }
  nlohmann::json preprocessing() const override {
    return {{kTokens,
             {{"steps",
               "SentencePiece (tokenizer.model): <s> sentence </s>, of pairs <s> first </s> second "
               "</s>; padded with 0"},
              {"longest", longest_}}},
            {"output", {{"class_names", class_names_}}}};
  }
  std::map<std::string, std::string> files() const override {
    return {{kTokenizerFile, tokenizer_->model()}};
  }

 private:
  struct Part {
    TokenStore tokens;
    at::Tensor labels;  ///< int64 [examples], on the device
  };
  const Part& part(Split split) const {
    return split == Split::train ? train_ : split == Split::validation ? validation_ : test_;
  }
  Part encoded(const std::vector<Example>& examples, const std::string& where);
  Batch gather(const Part& part, const at::Tensor& numbers) const {
    return {{{kTokens, part.tokens.batch(numbers, longest_)}},
            {{kClass, part.labels.index_select(0, numbers.to(part.labels.device()))}}};
  }

  const std::string name_ = "text-classification";
  std::uint64_t seed_;
  std::int64_t longest_;
  std::optional<Tokenizer> tokenizer_;
  std::vector<std::string> class_names_;
  std::int64_t cut_ = 0;
  Part train_, validation_, test_;
  std::string checksum_, summary_;
  spaces::TaskShape shape_;
  TokenBatches batches_;
};

TextClassification::TextClassification(const TaskSettings& settings)
    : seed_(settings.seed), longest_(settings.longest), batches_(name_, "sentences", settings) {
  if (settings.path.empty())
    throw core::UsageError("the task text-classification needs a folder",
                           "set [task] path to one that holds train.tsv or train.csv");
  expect_folder(settings.path, "train.tsv or train.csv, with columns label and sentence");
  const auto find = [&](std::initializer_list<const char*> names) {
    return only_one(names, [&](const char* name) { return find_table(settings.path, name); });
  };
  const auto train_path = find({"train"});
  if (train_path.empty())
    throw core::Error(named(settings.path) + " holds no train.tsv, train.csv, or one with .gz",
                      "put the training sentences there, with columns label and sentence");
  auto [train, pairs] = read_examples(train_path);
  auto held_out = find({"dev", "valid", "validation", "val"});
  auto test_path = find({"test"});
  if (test_path.empty()) std::swap(test_path, held_out);

  // Of all of the file: a limit, or a draw, leaves the classes as they are.
  for (const auto& example : train) class_names_.push_back(example.label);
  std::sort(class_names_.begin(), class_names_.end());
  class_names_.erase(std::unique(class_names_.begin(), class_names_.end()), class_names_.end());
  if (class_names_.size() < 2 || class_names_.size() > kMostClasses)
    throw core::Error(message("{}: the column of labels has {} different value{}", train_path,
                              class_names_.size(), class_names_.size() == 1 ? "" : "s"),
                      message("give 2 to {} classes", kMostClasses));

  const auto read_alike = [&, of_pairs = pairs](const std::string& path) {
    auto table = read_examples(path);
    if (table.pairs != of_pairs)
      throw core::Error(message("{} has {}, and {} has {}", train_path,
                                of_pairs ? "pairs of sentences" : "single sentences", path,
                                table.pairs ? "pairs" : "single ones"),
                        "give both the same columns");
    return std::move(table.examples);
  };
  core::Stream(seed_, "validation split").shuffle(train);
  std::vector<Example> test, validation;
  if (!test_path.empty())
    test = read_alike(test_path);
  else
    test = take(train, kTestShare);
  if (settings.limit > 0 && static_cast<std::size_t>(settings.limit) < train.size())
    train.resize(static_cast<std::size_t>(settings.limit));
  if (!held_out.empty()) {
    validation = read_alike(held_out);
    core::Stream(seed_, "validation order").shuffle(validation);
    if (settings.limit > 0 && static_cast<std::size_t>(settings.limit) < validation.size())
      validation.resize(static_cast<std::size_t>(settings.limit));
    if (!settings.hold_out) train.insert(train.end(), validation.begin(), validation.end());
  } else {
    validation = take(train, settings.validation);
  }
  if (!settings.hold_out) validation.clear();
  if (train.empty() || test.empty() || (validation.empty() && settings.validation > 0))
    throw core::Error(message("{}: {} sentences to train, {} to validate, {} to test are too few",
                              named(settings.path), train.size(), validation.size(), test.size()),
                      "add sentences, raise limit, or change validation (0: none)");

  tokenizer_ = Tokenizer::of(settings, [&] {
    std::vector<std::string> lines;
    for (const auto& example : train)
      for (const auto* text : {&example.first, &example.second})
        if (!text->empty()) lines.push_back(*text);
    return lines;
  });

  train_ = encoded(train, train_path);
  for (std::int64_t i = 0; i < train_.tokens.count(); ++i) batches_.add(train_.tokens.length(i));
  validation_ = encoded(validation, held_out.empty() ? train_path : held_out);
  test_ = encoded(test, test_path.empty() ? train_path : test_path);

  core::Hasher hasher;
  hasher.add(tokenizer_->model()).add(longest_);
  for (const auto& name : class_names_) hasher.add(name);
  for (const auto* examples : {&train, &validation, &test}) {
    hasher.add(static_cast<std::int64_t>(examples->size()));
    for (const auto& example : *examples)
      hasher.add(example.first).add(example.second).add(example.label);
  }
  checksum_ = hasher.hex();

  const auto mean = static_cast<std::int64_t>(std::ceil(batches_.mean_length()));
  shape_ = {
      .inputs =
          {{kTokens, {{1, {kLength}}}, spaces::DataType::int64, tokenizer_->size(), longest_}},
      .output = {{static_cast<std::int64_t>(class_names_.size()), {}}},
      .typical = {{kLength, typical_length(settings, mean)}}};
  summary_ = message(
      "{} sentences to train, {} to validate, {} to test; {} classes; {} tokens, {} a "
      "sentence on average",
      core::with_commas(size(Split::train)), core::with_commas(size(Split::validation)),
      core::with_commas(size(Split::test)), class_names_.size(),
      core::with_commas(tokenizer_->size()), mean);
  if (cut_ > 0) summary_ += message("; {} are cut to {} tokens", core::with_commas(cut_), longest_);
}

TextClassification::Part TextClassification::encoded(const std::vector<Example>& examples,
                                                     const std::string& where) {
  Part part;
  std::vector<std::int64_t> labels;
  for (const auto& example : examples) {
    const auto found = std::lower_bound(class_names_.begin(), class_names_.end(), example.label);
    if (found == class_names_.end() || *found != example.label)
      throw core::Error(message("{}: label '{}' does not occur among the training sentences", where,
                                core::printable(example.label)),
                        "check the labels of both files");
    labels.push_back(found - class_names_.begin());
    bool cut = false;
    const auto tokens = sequence(*tokenizer_, example, longest_, cut);
    cut_ += cut ? 1 : 0;
    part.tokens.add(tokens);
  }
  part.tokens.to(at::kCPU);
  part.labels = at::tensor(labels, at::kLong);
  return part;
}

Batch TextClassification::batch(const Selection& selection) const {
  const Part& wanted = selection.epoch < 0 ? part(selection.split) : train_;
  return gather(wanted, batches_.numbers(selection, wanted.tokens.count()));
}

constexpr const char* kExplanation =
    R"(  path/train.tsv   columns label and sentence, under a header; or train.csv, or either with .gz
  path/test.tsv    the test split alike, or else dev.tsv (valid, validation, val); where there is
                   neither, a tenth of train
  path/dev.tsv     where there is a test split too: the validation split
Else the validation split, by which the search judges, is drawn from train. Labels are any text; pairs
of sentences have the columns sentence1 and sentence2. Tokens are SentencePiece's: at most `vocabulary`,
learned from the training split, or those of the model file `tokenizer`. Sequences longer than `longest`
are cut.)";

const core::Registered kEntry{tasks(), "text-classification",
                              "labelled sentences or pairs of them, in TSV or CSV tables",
                              TaskType{[](const TaskSettings& settings) -> std::unique_ptr<Task> {
                                         return std::make_unique<TextClassification>(settings);
                                       },
                                       sentence_metrics(), kExplanation, text_keys()}};

}  // namespace
}  // namespace mosaic::tasks
