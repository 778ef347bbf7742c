#include "text/bleu.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "files.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "needs.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;

namespace {

/// Lines that a tokeniser trips over: punctuation, entities, spaces of all kinds, broken hyphens.
std::string odd_line(core::Stream& stream) {
  static const std::vector<std::string> pieces = {"a",
                                                  "the",
                                                  "Hund",
                                                  "Mädchen",
                                                  "1",
                                                  "23",
                                                  "1.5",
                                                  "2,000",
                                                  ".",
                                                  ",",
                                                  "-",
                                                  "--",
                                                  "'",
                                                  "\"",
                                                  "&amp;",
                                                  "&quot;",
                                                  "&lt;b&gt;",
                                                  "<skipped>",
                                                  " ",
                                                  "  ",
                                                  "\t",
                                                  "\xC2\xA0",
                                                  "\xE2\x80\x83",
                                                  "\xE3\x80\x80",
                                                  "é",
                                                  "日本",
                                                  "…",
                                                  "!",
                                                  "(",
                                                  ")",
                                                  "/",
                                                  ":",
                                                  "@",
                                                  "5-",
                                                  "a-b",
                                                  "\x1C",
                                                  "…,1",
                                                  "\xE2\x80\xAF",
                                                  "ß.",
                                                  ".5",
                                                  "x."};
  std::string line = "w";
  for (auto left = stream.below(14); left > 0; --left) {
    line += pieces[stream.below(pieces.size())];
    if (stream.below(2) == 0) line += " ";
  }
  return line;
}

}  // namespace

TEST_CASE("sentences are taken apart as sacreBLEU's 13a does it") {
  CHECK(bleu_words("Hello, world.") == std::vector<std::string>{"Hello", ",", "world", "."});
  CHECK(bleu_words("1,000.5 and 3-4 a-b") ==
        std::vector<std::string>{"1,000.5", "and", "3", "-", "4", "a-b"});
  CHECK(bleu_words("&quot;x&amp;y&quot; ") == std::vector<std::string>{"\"", "x", "&", "y", "\""});
  CHECK(bleu_words("   ").empty());
}

TEST_CASE("BLEU of whole texts") {
  const auto of = [](const std::string& written, const std::string& reference) {
    return bleu(bleu_counts(written, reference));
  };
  CHECK(of("the cat sat on the mat", "the cat sat on the mat") == Approx(100));
  CHECK(of("", "the cat") == 0);
  CHECK(of("dog", "the cat") == 0);
  // By hand: 5 of 6, 3 of 5, 2 of 4, 1 of 3, as long as the reference.
  CHECK(of("the cat sat on a mat", "the cat sat on the mat") ==
        Approx(100 * std::pow(5.0 / 6 * 3 / 5 * 2 / 4 * 1 / 3, 0.25)));
  const std::vector<BleuCounts> two{bleu_counts("a b c d e", "a b c d e"),
                                    bleu_counts("a b c d f", "a b c d e")};
  CHECK(bleu_error(two) > 0);
  CHECK(bleu_error(two) == bleu_error(two));
}

TEST_CASE("BLEU is sacreBLEU's, on real and on odd lines") {
  need(std::system("python3 -c 'import sacrebleu' 2>/dev/null") == 0, Need::kOther,
       "no Python with sacrebleu");
  const TemporaryFolder folder;
  core::Stream stream(7, "odd lines");
  std::string written, reference;
  constexpr int kLines = 2000;
  for (int i = 0; i < kLines; ++i) {
    const auto line = odd_line(stream);
    reference += line + "\n";
    // Some right, some with an end cut off, some something else.
    const auto kind = stream.below(3);
    written += (kind == 0   ? line
                : kind == 1 ? "w " + odd_line(stream)
                            : "w" + line.substr(1)) +
               "\n";
  }
  folder.write("written", written);
  folder.write("reference", reference);
  folder.write(
      "score.py",
      "import sys, sacrebleu\n"
      "read = lambda n: open(n, encoding='utf-8', newline='\\n').read().split('\\n')[:-1]\n"
      "w, r = read(sys.argv[1]), read(sys.argv[2])\n"
      "print(repr(sacrebleu.corpus_bleu(w, [r]).score))\n"
      "for a, b in zip(w, r):\n"
      "    c = sacrebleu.corpus_bleu([a], [[b]])\n"
      "    print(*c.counts, *c.totals, c.sys_len, c.ref_len, repr(c.score))\n");
  const auto compare = [&](const std::string& own, const std::string& other) {
    const auto out = folder.file("scores");
    REQUIRE(
        std::system(("python3 " + folder.file("score.py") + " " + own + " " + other + " > " + out)
                        .c_str()) == 0);
    std::istringstream scores(core::read_file(out));
    double whole = 0;
    scores >> whole;
    const auto a = core::split(core::read_file(own), '\n'),
               b = core::split(core::read_file(other), '\n');
    BleuCounts sum;
    for (std::size_t i = 0; i + 1 < a.size(); ++i) {
      const auto counts = bleu_counts(a[i], b[i]);
      sum += counts;
      INFO(a[i] << " | " << b[i]);
      for (const auto expected : {&counts.matches, &counts.totals})
        for (const auto count : *expected) {
          std::int64_t known = -1;
          scores >> known;
          REQUIRE(count == known);
        }
      std::int64_t written_words = 0, reference_words = 0;
      double score = 0;
      scores >> written_words >> reference_words >> score;
      REQUIRE(counts.written == written_words);
      REQUIRE(counts.reference == reference_words);
      REQUIRE(bleu(counts) == Approx(score).margin(1e-9));
    }
    CHECK(bleu(sum) == Approx(whole).epsilon(1e-12));
  };
  compare(folder.file("written"), folder.file("reference"));

  // Real sentences, against those that stand beside them.
  const char* data = std::getenv("MOSAIC_TEXT_DATA");
  if (data == nullptr) return;
  const auto lines =
      core::split(core::read_gzip(std::string(data) + "/multi30k/train.de.gz"), '\n');
  std::string first, second;
  for (int i = 0; i < kLines; ++i) {
    const auto& line = lines[static_cast<std::size_t>(i)];
    first += (i % 3 == 0 ? line : lines[static_cast<std::size_t>(i) + 1]) + "\n";
    second += line + "\n";
  }
  folder.write("first", first);
  folder.write("second", second);
  compare(folder.file("first"), folder.file("second"));
}
