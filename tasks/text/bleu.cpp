#include "text/bleu.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "mosaic/core/random.hpp"

namespace mosaic::tasks {
namespace {

/// Bytes of the white space at this place, as Python sees it; 0: there is none.
std::size_t space_at(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if ((byte >= 0x09 && byte <= 0x0D) || (byte >= 0x1C && byte <= 0x20)) return 1;
  const auto starts = [&](std::string_view with) { return text.substr(at).starts_with(with); };
  for (const auto* two : {"\xC2\x85", "\xC2\xA0"})
    if (starts(two)) return 2;
  for (const auto* three : {"\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                            "\xE2\x81\x9F", "\xE3\x80\x80"})
    if (starts(three)) return 3;
  if (starts("\xE2\x80") && at + 2 < text.size()) {  // U+2000 to U+200A
    const auto last = static_cast<unsigned char>(text[at + 2]);
    if (last >= 0x80 && last <= 0x8A) return 3;
  }
  return 0;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t space = space_at(text, i);
    if (space == 0) {
      ++i;
      continue;
    }
    if (i > begin) words.emplace_back(text.substr(begin, i - begin));
    i += space;
    begin = i;
  }
  if (begin < text.size()) words.emplace_back(text.substr(begin));
  return words;
}

std::string_view without_space_at_end(std::string_view text) {
  for (bool found = true; found && !text.empty();) {
    found = false;
    for (std::size_t bytes = 1; bytes <= 3 && bytes <= text.size() && !found; ++bytes)
      if (space_at(text, text.size() - bytes) == bytes) {
        text.remove_suffix(bytes);
        found = true;
      }
  }
  return text;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_stop(char c) { return c == '.' || c == ','; }
/// ASCII punctuation but for ' , - . and the space: what stands alone.
bool stands_alone(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte <= 0x26) || (byte >= 0x28 && byte <= 0x2B) || byte == 0x2F ||
         (byte >= 0x3A && byte <= 0x40) || (byte >= 0x5B && byte <= 0x60) ||
         (byte >= 0x7B && byte <= 0x7E);
}

/// Where two neighbours are `first` and `second`: `before` between which spaces go.
template <class First, class Second>
std::string apart(const std::string& text, First first, Second second, std::string_view format) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      for (const char c : format) result += c == '1' ? text[i] : c == '2' ? text[i + 1] : c;
      ++i;  // both are used up
    } else {
      result += text[i];
    }
  }
  return result;
}

using Grams = std::map<std::string, std::int64_t>;

std::array<Grams, 4> grams_of(const std::vector<std::string>& words) {
  std::array<Grams, 4> result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string gram;
    for (std::size_t n = 0; n < 4 && i + n < words.size(); ++n) {
      gram += words[i + n] + ' ';
      ++result[n][gram];
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> bleu_words(std::string_view line) {
  std::string text(without_space_at_end(line));
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  std::string spaced = " ";
  for (const char c : text) {
    if (stands_alone(c))
      spaced += std::string(" ") + c + ' ';
    else
      spaced += c;
  }
  spaced += ' ';
  const auto no_digit = [](char c) { return !is_digit(c); };
  spaced = apart(spaced, no_digit, is_stop, "1 2 ");
  spaced = apart(spaced, is_stop, no_digit, " 1 2");
  spaced = apart(
      spaced, is_digit, [](char c) { return c == '-'; }, "1 2 ");
  return split(spaced);
}

BleuCounts& BleuCounts::operator+=(const BleuCounts& other) {
  for (std::size_t n = 0; n < 4; ++n) {
    matches[n] += other.matches[n];
    totals[n] += other.totals[n];
  }
  written += other.written;
  reference += other.reference;
  return *this;
}

BleuCounts bleu_counts(std::string_view written, std::string_view reference) {
  const auto own = bleu_words(written), wanted = bleu_words(reference);
  const auto grams = grams_of(own), others = grams_of(wanted);
  BleuCounts counts;
  counts.written = static_cast<std::int64_t>(own.size());
  counts.reference = static_cast<std::int64_t>(wanted.size());
  for (std::size_t n = 0; n < 4; ++n)
    for (const auto& [gram, count] : grams[n]) {
      counts.totals[n] += count;
      const auto found = others[n].find(gram);
      if (found != others[n].end()) counts.matches[n] += std::min(count, found->second);
    }
  return counts;
}

double bleu(const BleuCounts& counts) {
  const auto& [matches, totals, written, reference] = counts;
  if (std::all_of(matches.begin(), matches.end(), [](auto count) { return count == 0; })) return 0;
  double smooth = 1, sum = 0;
  constexpr double kLogOfNothing = -9999999999.0;
  bool ended = false;
  for (std::size_t n = 0; n < 4; ++n) {
    ended = ended || totals[n] == 0;
    double precision = 0;
    if (!ended && matches[n] == 0)
      precision = 100 / ((smooth *= 2) * static_cast<double>(totals[n]));
    else if (!ended)
      precision = 100 * static_cast<double>(matches[n]) / static_cast<double>(totals[n]);
    sum += precision > 0 ? std::log(precision) : kLogOfNothing;
  }
  const double penalty =
      written >= reference ? 1
      : written == 0       ? 0
                     : std::exp(1 - static_cast<double>(reference) / static_cast<double>(written));
  return penalty * std::exp(sum / 4);
}

double bleu_error(std::span<const BleuCounts> sentences) {
  constexpr int kDraws = 300;
  if (sentences.size() < 2) return 0;
  core::Stream stream(1, "bootstrap");
  double sum = 0, squares = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    BleuCounts counts;
    for (std::size_t i = 0; i < sentences.size(); ++i)
      counts += sentences[static_cast<std::size_t>(
          stream.below(static_cast<std::uint64_t>(sentences.size())))];
    const double one = bleu(counts);
    sum += one;
    squares += one * one;
  }
  const double mean = sum / kDraws;
  return std::sqrt(std::max(0.0, squares / kDraws - mean * mean) * kDraws / (kDraws - 1));
}

}  // namespace mosaic::tasks
