// Running text: to guess the next token (causal-lm), or tokens that were taken out (masked-lm).
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "device.hpp"
#include "folders.hpp"
#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/tasks/task.hpp"
#include "soft_losses.hpp"
#include "text/text_files.hpp"
#include "text/token_metrics.hpp"
#include "text/tokenizer.hpp"

namespace mosaic::tasks {
namespace {

const std::string kTokens = "tokens";
constexpr double kTestShare = 0.05;
constexpr std::uint64_t kEpochsPerOrder = 1'000'000;

// Devlin et al. 2019: of the tokens this share is guessed; of those most are replaced by <mask>, a
// tenth by any token, a tenth not at all.
constexpr double kGuessed = 0.15, kReplaced = 0.8, kAnyToken = 0.1;

/// Input "tokens", int64 [batch, longest]; target "token", int64 [batch, longest], kNotAsked where
/// nothing is guessed. Output [batch, longest, vocabulary].
class LanguageModel : public Task {
 public:
  LanguageModel(bool masked, const TaskSettings& settings);

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(Split split) const override { return part(split).size(0); }
  std::string summary() const override {
    return message("{} stretches of {} tokens to train, {} to validate, {} to test; {} tokens",
                   core::with_commas(size(Split::train)), longest_,
                   core::with_commas(size(Split::validation)), core::with_commas(size(Split::test)),
                   core::with_commas(tokenizer_->size()));
  }
  void to(const std::string& device) override {
    const auto where = parse_device(device);
    for (auto* part : {&train_, &validation_, &test_}) *part = part->to(where);
  }
  Batch batch(const Selection& selection) const override;
  std::int64_t token_batches(std::int64_t tokens) const override {
    const std::int64_t size = std::max<std::int64_t>(1, tokens / longest_);
    return (this->size(Split::train) + size - 1) / size;
  }
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets,
                    double label_smoothing) const override {
    const auto [loss, count] = token_losses(outputs, tensor(targets, kToken), label_smoothing);
    return loss / count.clamp_min(1);
  }
  bool takes_bfloat16() const override { return true; }
  at::Tensor distillation_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                                 const NamedTensors& targets, double temperature) const override {
    return soft_losses(outputs, teacher, tensor(targets, kToken), temperature);
  }
  LossName loss_name() const override { return {"cross-entropy of a token", "nats"}; }
  nlohmann::json preprocessing() const override {
    return {{kTokens,
             {{"steps", std::string("SentencePiece (tokenizer.model), each line ended by </s>") +
                            (masked_ ? ", <mask> where a token is to be guessed" : "")},
              {"longest", longest_}}},
            {"output",
             {{"position", masked_ ? "logits of the token there" : "logits of the next token"}}}};
  }
  std::map<std::string, std::string> files() const override {
    return {{kTokenizerFile, tokenizer_->model()}};
  }

 private:
  const at::Tensor& part(Split split) const {
    return split == Split::train ? train_ : split == Split::validation ? validation_ : test_;
  }
  /// Stretches of longest + 1 tokens, each of which begins with the last token of the one before.
  at::Tensor stretches(const std::vector<std::string>& lines, const std::string& path) const;
  /// `draws`: of each stretch, what is guessed of it.
  Batch made(const at::Tensor& stretches,
             const std::function<std::uint64_t(std::int64_t row)>& draws) const;

  bool masked_;
  const std::string name_;
  std::uint64_t seed_;
  std::int64_t longest_;
  std::optional<Tokenizer> tokenizer_;
  at::Tensor train_, validation_, test_;  ///< int64 [stretches, longest + 1]
  std::string checksum_;
  spaces::TaskShape shape_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, std::pair<std::int64_t, at::Tensor>> orders_;  ///< epoch, numbers
};

LanguageModel::LanguageModel(bool masked, const TaskSettings& settings)
    : masked_(masked),
      name_(masked ? "masked-lm" : "causal-lm"),
      seed_(settings.seed),
      longest_(settings.longest) {
  if (settings.path.empty())
    throw core::UsageError("the task " + name_ + " needs a folder",
                           "set [task] path to one that holds train.txt");
  expect_folder(settings.path, "train.txt, running text with a paragraph or sentence a line");
  const auto find = [&](std::initializer_list<const char*> names) {
    return only_one(names, [&](const char* one) {
      for (const char* ending : {".txt", ".txt.gz"})
        if (const auto path = std::filesystem::path(settings.path) / (std::string(one) + ending);
            std::filesystem::exists(path))
          return path.string();
      return std::string();
    });
  };
  const auto train_path = find({"train"});
  if (train_path.empty())
    throw core::Error(named(settings.path) + " holds no train.txt or train.txt.gz",
                      "put running text there, a paragraph or sentence a line");
  auto held_out = find({"valid", "dev", "validation", "val"});
  auto test_path = find({"test"});
  if (test_path.empty()) std::swap(test_path, held_out);

  const auto lines = read_lines(train_path);
  tokenizer_ = Tokenizer::of(settings, [&] { return lines; });
  at::Tensor all = stretches(lines, train_path);
  const auto shuffled = [&](const char* stream) {
    return all.index_select(
        0, at::tensor(core::Stream(seed_, stream).permutation(all.size(0)), at::kLong));
  };
  const auto take = [&](double share) {
    const auto count =
        static_cast<std::int64_t>(std::llround(share * static_cast<double>(all.size(0))));
    const at::Tensor taken = all.narrow(0, 0, count).clone();
    all = all.narrow(0, count, all.size(0) - count);
    return taken;
  };
  all = shuffled("validation split");
  test_ = test_path.empty() ? take(kTestShare) : stretches(read_lines(test_path), test_path);
  if (settings.limit > 0 && settings.limit < all.size(0)) all = all.narrow(0, 0, settings.limit);
  if (held_out.empty()) {
    validation_ = take(settings.validation);
  } else {
    std::swap(all, validation_);
    all = stretches(read_lines(held_out), held_out);
    all = shuffled("validation order");
    if (settings.limit > 0 && settings.limit < all.size(0)) all = all.narrow(0, 0, settings.limit);
    std::swap(all, validation_);
    if (!settings.hold_out) {
      all = at::cat({all, validation_});
      validation_ = validation_.narrow(0, 0, 0);
    }
  }
  train_ = all.contiguous();
  if (train_.size(0) < 1 || test_.size(0) < 1 ||
      (validation_.size(0) < 1 && settings.validation > 0))
    throw core::Error(
        message("{}: {} stretches of {} tokens to train, {} to validate, {} to test are "
                "too few",
                named(settings.path), train_.size(0), longest_, validation_.size(0), test_.size(0)),
        "add text, or set a smaller longest");
  core::Hasher hasher;
  hasher.add(tokenizer_->model()).add(longest_);
  for (const auto* part : {&train_, &validation_, &test_}) {
    const at::Tensor tokens = part->contiguous();
    hasher.bytes(tokens.const_data_ptr(), tokens.nbytes());
  }
  checksum_ = hasher.hex();
  shape_ = spaces::language_task(tokenizer_->size(), typical_length(settings, longest_),
                                 /*causal=*/!masked_);
  shape_.inputs[0].longest = longest_;
}

at::Tensor LanguageModel::stretches(const std::vector<std::string>& lines,
                                    const std::string& path) const {
  std::vector<std::int64_t> tokens{kBegin};
  for (const auto& line : lines) {
    if (core::trim(line).empty()) continue;
    const auto own = tokenizer_->encode(line);
    tokens.insert(tokens.end(), own.begin(), own.end());
    tokens.push_back(kEnd);
  }
  if (tokens.size() < 2)
    throw core::Error(path + " holds no text", "give running text, a paragraph or sentence a line");
  const auto used = static_cast<std::int64_t>(tokens.size());
  const std::int64_t count = (used - 2) / longest_ + 1;
  tokens.resize(static_cast<std::size_t>(count * longest_ + 1), kPadding);
  const at::Tensor all = at::tensor(tokens, at::kLong);
  return all.unfold(0, longest_ + 1, longest_).contiguous();
}

Batch LanguageModel::made(const at::Tensor& stretches,
                          const std::function<std::uint64_t(std::int64_t row)>& draws) const {
  if (!masked_) {
    const at::Tensor next = stretches.narrow(1, 1, longest_);
    return {{{kTokens, stretches.narrow(1, 0, longest_).contiguous()}},
            {{kToken, next.masked_fill(next.eq(kPadding), kNotAsked)}}};
  }
  const at::Tensor tokens = stretches.narrow(1, 1, longest_);
  // Drawn on the CPU and stretch by stretch, so that every device and batch size sees the same.
  at::Tensor guess = at::empty(tokens.sizes(), at::kFloat), how = at::empty_like(guess);
  at::Tensor any = at::empty(tokens.sizes(), at::kLong);
  for (std::int64_t row = 0; row < tokens.size(0); ++row) {
    const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(draws(row));
    guess[row].uniform_(0, 1, generator);
    how[row].uniform_(0, 1, generator);
    any[row].random_(kMask + 1, std::max(tokenizer_->size(), kMask + 2), generator);
  }
  guess = guess.to(tokens.device());
  how = how.to(tokens.device());
  // One token at least: a stretch of which nothing is guessed has no loss.
  const at::Tensor words = tokens.gt(kMask);
  guess = guess.masked_fill(words.logical_not(), 2);
  const at::Tensor guessed =
      guess.lt(kGuessed).scatter(1, guess.argmin(1, /*keepdim=*/true), 1).logical_and_(words);
  const at::Tensor replaced = guessed.logical_and(how.lt(kReplaced));
  const at::Tensor changed = guessed.logical_and(how.ge(1 - kAnyToken));
  return {
      {{kTokens, at::where(changed, any.to(tokens.device()), tokens.masked_fill(replaced, kMask))}},
      {{kToken, tokens.masked_fill(guessed.logical_not(), kNotAsked)}}};
}

Batch LanguageModel::batch(const Selection& selection) const {
  if (selection.epoch < 0) {
    const at::Tensor& all = part(selection.split);
    if (all.size(0) == 0)
      throw core::Error(message("{}: the {} split has no text", name_, to_string(selection.split)),
                        "set [task] validation above 0");
    const std::int64_t begin = std::min(selection.begin, all.size(0));
    // What is guessed is the same at every evaluation.
    const auto stream = "guessed " + to_string(selection.split);
    return made(
        all.narrow(0, begin, std::min(selection.count, all.size(0) - begin)),
        [&](std::int64_t row) {
          return core::Stream(seed_, stream, static_cast<std::uint64_t>(begin + row)).next64();
        });
  }
  const std::int64_t count = train_.size(0);
  if (selection.tokens > 0) {
    const std::int64_t size = std::max<std::int64_t>(1, selection.tokens / longest_);
    Selection places = selection;
    places.tokens = 0;
    places.begin = selection.begin * size;
    places.count = std::min(size, count - places.begin);
    return batch(places);
  }
  if (selection.count < 1 || selection.count > count)
    throw core::Error(
        message("{}: a batch of {} does not fit into a training split of {} stretches", name_,
                selection.count, count),
        "use a smaller batch, or raise [task] limit");
  if (selection.begin < 0 || selection.begin + selection.count > count)
    throw std::out_of_range("examples outside of an epoch");
  const auto index = static_cast<std::uint64_t>(selection.order) * kEpochsPerOrder +
                     static_cast<std::uint64_t>(selection.epoch);
  at::Tensor numbers;
  if (selection.examples.defined()) {
    numbers = selection.examples;
  } else {
    const std::lock_guard lock(mutex_);
    auto& [epoch, order] = orders_[selection.order];
    if (!order.defined() || epoch != selection.epoch) {
      order = at::tensor(core::Stream(seed_, "epoch order", index).permutation(count), at::kLong);
      epoch = selection.epoch;
    }
    numbers = order.narrow(0, selection.begin, selection.count);
  }
  const auto stream = "guessed of stretch " + std::to_string(selection.begin) + " + ";
  return made(train_.index_select(0, numbers.to(train_.device())), [&](std::int64_t row) {
    return core::Stream(seed_, stream + std::to_string(row), index).next64();
  });
}

constexpr const char* kExplanation =
    R"(  path/train.txt   running text, a paragraph or sentence a line; or train.txt.gz
  path/test.txt    the test split, or else valid.txt (dev, validation, val); where there is neither, a
                   twentieth of train
  path/valid.txt   where there is a test split too: the validation split
Text is cut into stretches of `longest` tokens, which are the examples; the validation split, by which
the search judges, is drawn from those of train unless it has a file of its own. Tokens are
SentencePiece's: at most `vocabulary`, learned from train, or those of the model file `tokenizer`.)";

template <bool masked>
std::unique_ptr<Task> make(const TaskSettings& settings) {
  return std::make_unique<LanguageModel>(masked, settings);
}

const core::Registered kCausal{tasks(), "causal-lm", "running text: guess the next token",
                               TaskType{make<false>, token_metrics(), kExplanation, text_keys()}};
const core::Registered kMasked{tasks(), "masked-lm",
                               "running text: guess tokens that were taken out, from both sides",
                               TaskType{make<true>, token_metrics(), kExplanation, text_keys()}};

}  // namespace
}  // namespace mosaic::tasks
