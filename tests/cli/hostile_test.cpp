// Whatever stands in a file or on the command line, the answer is Mosaic's own: no exception of a
// library, no signal, no hang.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "mosaic/core/random.hpp"
#include "program.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;

namespace {

const std::string kTable =
    "arch,score,latency_ms\n1-1-8,85.7,0.968\n1-2-7,86.2,1.065\n8-1-1,91.6,2.488\n"
    "2-3-5,88.1,1.2\n5-1-4,90.2,1.9\n3-3-4,89.0,1.5\n";

const std::string kJob =
    "[job]\nname = \"job\"\nseed = 3\n[space]\nname = \"resnet-pooling\"\n[evaluator]\n"
    "type = \"table\"\nfile = \"t.csv\"\n[[objective]]\nmetric = \"score\"\ngoal = \"max\"\n"
    "[[objective]]\nmetric = \"latency_ms\"\ngoal = \"min\"\n[search]\nalgorithm = \"random\"\n"
    "evaluations = 6\npopulation = 4\nconstraints = [\"latency_ms <= 2\"]\n";

const std::string kFeatures =
    "depth,width,kind,ms\n1,8,a,2.5\n2,8,b,3.5\n3,16,a,4.5\n4,16,b,5.5\n5,32,a,6.5\n6,32,b,7.5\n"
    "7,64,a,8.5\n8,64,b,9.5\n9,8,a,10.5\n10,8,b,11.5\n";

/// Some bytes of a text replaced, left out, or doubled.
std::string mutated(std::string text, mosaic::core::Stream& random) {
  constexpr char kOdd[] = "\0\xff\xe9\"',;\n\r\t=-[]{}#9e.";
  for (std::uint64_t k = 1 + random.below(4); k > 0 && !text.empty(); --k) {
    const auto at = random.below(text.size());
    const char c = kOdd[random.below(sizeof kOdd - 1)];
    switch (random.below(4)) {
      case 0:
        text[at] = c;
        break;
      case 1:
        text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
        break;
      case 2:
        text.erase(at, 1 + random.below(8));
        break;
      default:
        text.insert(at, text.substr(at, 1 + random.below(30)));
    }
  }
  return text;
}

void check_own_answer(const Outcome& outcome) {
  INFO(outcome.errors);
  CHECK((outcome.status == 0 || outcome.status == 1 || outcome.status == 2));
  CHECK_THAT(outcome.errors, !Contains("this is unexpected"));
  if (outcome.status != 0) CHECK_THAT(outcome.errors, !Catch::Equals(""));
}

}  // namespace

TEST_CASE("damaged tables and job files are answered in Mosaic's own words") {
  const Folder folder("hostile_files");
  mosaic::core::Stream random(11, "hostile");
  for (int i = 0; i < 24; ++i) {
    INFO("case " << i);
    folder.write("t.csv", i % 2 == 0 ? mutated(kTable, random) : kTable);
    folder.write("job.toml", i % 2 == 1 ? mutated(kJob, random) : kJob);
    check_own_answer(folder.run({"-q", "search", "job.toml", "--db", std::to_string(i) + ".db"}));
    folder.write("f.csv", mutated(kFeatures, random));
    check_own_answer(folder.run({"-q", "predictor", "fit", "f.csv", "--target", "ms", "--predictor",
                                 "ridge", "--out", "m"}));
  }
}

TEST_CASE("files that are something else are answered in Mosaic's own words") {
  const Folder folder("hostile_kinds");
  folder.write("job.toml", kJob);
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string(1, '\0'),
        std::string("\xff\xfe"
                    "a\0r\0",
                    6),
        std::string("caf\xe9,ms\n1,2\n"), std::string("\x1f\x8b\x08"), std::string(100'000, ','),
        std::string("SQLite format 3\0", 16), std::string("\"")}) {
    INFO("content of " << content.size() << " bytes");
    folder.write("t.csv", content);
    folder.write("x", content);
    for (const auto& command : std::vector<std::vector<std::string>>{
             {"search", "job.toml", "--db", "r.db"},
             {"search", "x", "--db", "r.db"},
             {"front", "--db", "x"},
             {"predictor", "fit", "x", "--target", "ms", "--out", "m"},
             {"predictor", "predict", "x", "x"},
             {"predictor", "eval", "x", "--target", "ms"},
             {"eval", "x"}}) {
      const auto outcome = folder.run(command);
      INFO(command[0]);
      CHECK(outcome.status != 0);
      check_own_answer(outcome);
    }
  }
}

TEST_CASE("words that are not UTF-8 are answered in Mosaic's own words") {
  const Folder folder("hostile_words");
  folder.write("job.toml", kJob);
  folder.write("t.csv", kTable);
  REQUIRE(folder.run({"-q", "search", "job.toml", "--db", "r.db"}).status == 0);
  const std::string word = "caf\xe9\x1b[31m";
  for (const auto& command : std::vector<std::vector<std::string>>{
           {word},
           {"front", "--db", "r.db", "--job", word},
           {"front", "--db", word},
           {"best", "--db", "r.db", "--best", word},
           {"best", "--db", "r.db", "--max", word + "=3"},
           {"nearest", word, "--db", "r.db", "--json"},
           {"query", "--db", "r.db", "SELECT '" + word + "' AS \"" + word + "\"", "--json"},
           {"predictor", "fit", "t.csv", "--target", word, "--out", "m"},
           {"predictor", "fit", "t.csv", "--target", "score", "--drop", word, "--out", "m"},
           {"provenance", word, "--db", "r.db", "--json"},
           {"spaces", word}}) {
    const auto outcome = folder.run(command);
    INFO(command[0]);
    check_own_answer(outcome);
    CHECK_THAT(outcome.errors, !Contains("\x1b[31m"));
  }
}
