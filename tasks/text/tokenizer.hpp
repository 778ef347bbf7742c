/// Text to numbers of tokens and back, by SentencePiece (Kudo and Richardson 2018).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mosaic::tasks {

struct TaskSettings;

/// Numbers of the tokens that every vocabulary has; networks know padding by its number.
inline constexpr std::int64_t kPadding = 0, kUnknown = 1, kBegin = 2, kEnd = 3, kMask = 4;

/// TaskType::keys of a task over text: those that all have, and its own.
inline std::vector<std::string> text_keys(std::vector<std::string> own = {}) {
  own.insert(own.begin(), {"vocabulary", "tokenizer", "longest", "typical_length"});
  return own;
}

/// Tokens of an example that costs are counted at, where the data usually have so many.
std::int64_t typical_length(const TaskSettings& settings, std::int64_t usual);

class Tokenizer {
 public:
  /// A unigram model of at most `vocabulary` tokens, learned from these lines; the same lines give
  /// the same model. One that was learned before is taken from the cache
  /// ($MOSAIC_CACHE/tokenizers, else ~/.cache/mosaic/tokenizers). Throws core::Error where the
  /// text is too little for any vocabulary.
  static Tokenizer learned(std::span<const std::string> lines, std::int64_t vocabulary);
  /// A model file (.model). Throws core::Error for a file that is none, or one whose special
  /// tokens are numbered otherwise.
  static Tokenizer from_file(const std::string& path);

  /// That of the task's settings: what another task hands over, a file, or one learned from the
  /// lines that are asked for then.
  static Tokenizer of(const TaskSettings& settings,
                      const std::function<std::vector<std::string>()>& lines);

  std::int64_t size() const;
  /// Without special tokens.
  std::vector<std::int32_t> encode(std::string_view line) const;
  /// Special tokens are left out.
  std::string decode(std::span<const std::int32_t> tokens) const;
  /// The model file's content: what is stored beside a network.
  const std::string& model() const;

 private:
  struct Model;
  explicit Tokenizer(std::string bytes, const std::string& origin);
  std::shared_ptr<const Model> model_;
};

}  // namespace mosaic::tasks
