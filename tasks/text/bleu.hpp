/// BLEU of translations (Papineni et al. 2002), as sacreBLEU (Post 2018) computes it: signature
/// nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mosaic::tasks {

/// Words of a detokenised sentence in UTF-8, by the tokeniser 13a (mteval-v13a).
std::vector<std::string> bleu_words(std::string_view line);

/// Counts of a sentence, or sums of them.
struct BleuCounts {
  std::array<std::int64_t, 4> matches{}, totals{};  ///< of n-grams of 1 to 4 words
  std::int64_t written = 0, reference = 0;          ///< words

  BleuCounts& operator+=(const BleuCounts& other);
};
BleuCounts bleu_counts(std::string_view written, std::string_view reference);

/// Of a whole text, 0 to 100.
double bleu(const BleuCounts& counts);
/// Its standard error, by drawing the sentences anew 300 times (Koehn 2004); the same counts give
/// the same error.
double bleu_error(std::span<const BleuCounts> sentences);

}  // namespace mosaic::tasks
