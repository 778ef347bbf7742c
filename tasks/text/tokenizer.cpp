#include "text/tokenizer.hpp"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "message.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/child.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::tasks {
namespace {

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(std::span<const std::string> lines) : lines_(lines) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::span<const std::string> lines_;
  std::size_t at_ = 0;
};

std::filesystem::path cache_folder() {
  const auto of = [](const char* name) {
    const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
    return std::filesystem::path(text == nullptr ? "" : text);
  };
  if (const auto own = of("MOSAIC_CACHE"); !own.empty()) return own / "tokenizers";
  if (const auto xdg = of("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "mosaic" / "tokenizers";
  if (const auto home = of("HOME"); !home.empty()) return home / ".cache" / "mosaic" / "tokenizers";
  return {};
}

/// Names the lines and how they are learned from.
std::string name_of(std::span<const std::string> lines, std::int64_t vocabulary) {
  core::Hasher hasher;
  hasher.add("unigram 1").add(vocabulary);
  for (const auto& line : lines) hasher.add(line);
  return hasher.hex() + ".tokenizer";
}

/// Whether anything of a line can be seen: SentencePiece ends the program where there is no such
/// line.
bool has_text(std::string_view line) {
  static const std::vector<std::string> kBlank = {
      "\u00a0", "\u00ad", "\u1680", "\u180e", "\u2000", "\u2001", "\u2002", "\u2003",
      "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u200b",
      "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202f", "\u205f",
      "\u2060", "\u3000", "\ufeff", "\ufe0e", "\ufe0f"};
  while (!line.empty()) {
    const auto first = static_cast<unsigned char>(line[0]);
    if (first <= ' ' || first == 0x7f) {
      line.remove_prefix(1);
      continue;
    }
    const auto blank = std::find_if(kBlank.begin(), kBlank.end(),
                                    [&](const auto& text) { return line.starts_with(text); });
    if (blank == kBlank.end()) return true;
    line.remove_prefix(blank->size());
  }
  return false;
}

/// What SentencePiece says, without the places in its sources and advice for its own options.
std::string said(std::string text) {
  if (const auto place = text.rfind("] "); place != std::string::npos) text.erase(0, place + 2);
  if (const auto advice = text.find(" Increase vocab_size"); advice != std::string::npos)
    text.erase(advice);
  return core::printable(text);
}

std::string learn(std::span<const std::string> lines, std::int64_t vocabulary) {
  if (std::none_of(lines.begin(), lines.end(), has_text))
    throw core::Error("there are no words in the text", "check that it is the right file");
  Lines iterator(lines);
  std::string model;
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", "unigram"},
       {"vocab_size", number(vocabulary)},
       {"hard_vocab_limit", "false"},  // text that has fewer pieces has a smaller vocabulary
       {"pad_id", number(kPadding)},
       {"unk_id", number(kUnknown)},
       {"bos_id", number(kBegin)},
       {"eos_id", number(kEnd)},
       {"control_symbols", "<mask>"},
       {"character_coverage", "0.9995"},
       {"max_sentence_length", "16384"},
       {"num_threads", "1"},
       {"minloglevel", "2"}},
      &iterator, &model);
  if (!status.ok())
    throw core::Error(
        message("no vocabulary of {} tokens can be learned from {} lines: {}", vocabulary,
                lines.size(), said(std::string(status.message()))),
        "set [task] vocabulary above the number of different characters, or give a model file "
        "([task] tokenizer)");
  return model;
}

/// A kept model begins with its hash: SentencePiece takes half a file for a whole one.
std::string read_kept(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  auto content = core::read_file(path.string());
  const std::size_t digits = core::hash_hex("").size();
  if (content.size() <= digits) return {};
  auto model = content.substr(digits);
  return content.compare(0, digits, core::hash_hex(model)) == 0 ? model : std::string();
}

void keep(const std::filesystem::path& path, const std::string& model) {
  try {
    std::filesystem::create_directories(path.parent_path());
    core::write_file_atomic(path.string(), core::hash_hex(model) + model);
  } catch (const std::exception& error) {
    core::log_warning(std::string("the vocabulary is not kept for the next time: ") + error.what());
  }
}

}  // namespace

std::int64_t typical_length(const TaskSettings& settings, std::int64_t usual) {
  return settings.typical_length > 0 ? settings.typical_length : usual;
}

struct Tokenizer::Model {
  std::string bytes;
  sentencepiece::SentencePieceProcessor processor;
};

Tokenizer::Tokenizer(std::string bytes, const std::string& origin) {
  auto model = std::make_shared<Model>();
  model->bytes = std::move(bytes);
  const auto status = model->processor.LoadFromSerializedProto(model->bytes);
  if (!status.ok())
    throw core::Error(origin + " is no SentencePiece model",
                      "give the .model file that spm_train wrote");
  const auto& known = model->processor;
  if (known.pad_id() != kPadding || known.unk_id() != kUnknown || known.bos_id() != kBegin ||
      known.eos_id() != kEnd || known.PieceToId("<mask>") != kMask)
    throw core::Error(
        message(
            "{} numbers its special tokens otherwise: padding {}, unknown {}, begin {}, end {}, "
            "<mask> {}",
            origin, known.pad_id(), known.unk_id(), known.bos_id(), known.eos_id(),
            known.PieceToId("<mask>")),
        "train it with spm_train --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3 "
        "--control_symbols='<mask>'");
  model_ = std::move(model);
}

Tokenizer Tokenizer::learned(std::span<const std::string> lines, std::int64_t vocabulary) {
  const auto folder = cache_folder();
  const auto path = folder / name_of(lines, vocabulary);
  if (auto kept = folder.empty() ? std::string() : read_kept(path); !kept.empty())
    return Tokenizer(std::move(kept), path.string());
  const core::Activity activity("learn a vocabulary from " +
                                core::with_commas(static_cast<long long>(lines.size())) +
                                " lines (kept for the next time)");
  // SentencePiece heeds no Ctrl-C.
  auto bytes = core::in_child([&] { return learn(lines, vocabulary); });
  if (!folder.empty()) keep(path, bytes);
  return Tokenizer(std::move(bytes), "the vocabulary");
}

Tokenizer Tokenizer::of(const TaskSettings& settings,
                        const std::function<std::vector<std::string>()>& lines) {
  if (const auto given = settings.files.find(kTokenizerFile); given != settings.files.end())
    return Tokenizer(given->second, kTokenizerFile);
  if (!settings.tokenizer.empty()) return from_file(settings.tokenizer);
  return learned(lines(), settings.vocabulary);
}

Tokenizer Tokenizer::from_file(const std::string& path) {
  return Tokenizer(core::read_file(path), path);
}

std::int64_t Tokenizer::size() const { return model_->processor.GetPieceSize(); }

std::vector<std::int32_t> Tokenizer::encode(std::string_view line) const {
  core::check_interrupt();
  std::vector<int> tokens;
  const auto status = model_->processor.Encode(line, &tokens);
  if (!status.ok()) throw core::Error("SentencePiece: " + std::string(status.message()), "");
  return {tokens.begin(), tokens.end()};
}

std::string Tokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::vector<int> kept;
  for (const auto token : tokens)
    if (token > kMask || token == kUnknown) kept.push_back(token);
  std::string text;
  const auto status = model_->processor.Decode(kept, &text);
  if (!status.ok()) throw core::Error("SentencePiece: " + std::string(status.message()), "");
  return text;
}

const std::string& Tokenizer::model() const { return model_->bytes; }

}  // namespace mosaic::tasks
