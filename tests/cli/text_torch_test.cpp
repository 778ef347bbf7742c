// A job over labelled sentences, from tables to a network in plain PyTorch.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "mosaic/core/random.hpp"
#include "needs.hpp"
#include "program.hpp"

using namespace mosaic;
using namespace mosaic::cli::test;
using Catch::Contains;
using nlohmann::json;

namespace {

/// Sentences that say of which of two kinds they are by one word.
std::string sentences(int rows, std::uint64_t seed) {
  core::Stream stream(seed, "sentences");
  std::string text = "label\tsentence\n";
  for (int i = 0; i < rows; ++i) {
    text += i % 2 == 0 ? "no\t" : "yes\t";
    const auto words = 3 + stream.below(9), which = stream.below(words);
    for (std::uint64_t word = 0; word < words; ++word)
      text += word == which ? (i % 2 == 0 ? "bad " : "good ")
                            : std::string(1, static_cast<char>('a' + stream.below(20))) + "o ";
    text += "\n";
  }
  return text;
}

const std::string kJob = R"(
[job]
name = "words"
threads = 1
[space]
name = "bert"
dropout_percent = 5
[task]
name = "text-classification"
path = "data"
vocabulary = 60
[supernet]
sharing = "layer-wise"
copies = 2
optimizer = "adamw"
learning_rate = 1e-3
epochs = 2
batch_size = 32
[[objective]]
metric = "accuracy"
[[objective]]
metric = "flops"
[search]
algorithm = "random"
evaluations = 8
population = 8
)";

}  // namespace

TEST_CASE("labelled sentences: run, extract, eval, finetune, and the network in plain PyTorch") {
  const Folder folder("text");
  ::setenv("MOSAIC_CACHE", (folder / "cache").c_str(), 1);
  std::filesystem::create_directories(folder / "data");
  folder.write("data/train.tsv", sentences(480, 1));
  folder.write("data/dev.tsv", sentences(200, 2));
  folder.write("job.toml", kJob);
  // What is refused leaves no database behind.
  for (const std::string set : {"task.path=nowhere", "task.image_size=64", "task.vocabulary=9"}) {
    const auto refused = folder.run({"run", "job.toml", "--db", "r.db", "--set", set});
    INFO(refused.errors);
    CHECK(refused.status != 0);
    CHECK_FALSE(std::filesystem::exists(folder / "r.db"));
  }
  const auto run = folder.run({"run", "job.toml", "--db", "r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.errors, Contains("432 sentences to train, 48 to validate, 200 to test"));
  const auto front = json::parse(folder.run({"front", "--db", "r.db", "--json"}).output);
  REQUIRE_FALSE(front.empty());
  const auto extract =
      folder.run({"extract", "--db", "r.db", "--best", "accuracy", "--out", "net"});
  INFO(extract.errors);
  REQUIRE(extract.status == 0);
  REQUIRE(std::filesystem::exists(folder / "net/tokenizer.model"));

  // Its own vocabulary is used, whatever is in the cache.
  std::filesystem::remove_all(folder / "cache");
  const auto finetune =
      folder.run({"finetune", "net", "--epochs", "8", "--learning-rate", "1e-3", "--out", "tuned"});
  INFO(finetune.errors);
  REQUIRE(finetune.status == 0);
  CHECK_THAT(finetune.errors, Contains("adamw at 0.001"));
  CHECK_FALSE(std::filesystem::exists(folder / "cache"));
  CHECK(slurp(folder / "tuned/tokenizer.model") == slurp(folder / "net/tokenizer.model"));
  const auto eval =
      folder.run({"eval", "tuned", "--split", "test", "--json", "--outputs", "xy.safetensors"});
  INFO(eval.errors);
  REQUIRE(eval.status == 0);
  const auto found = json::parse(eval.output);
  CHECK(found.at("examples") == 200);
  CHECK(found.at("accuracy").get<double>() > 75);
  CHECK(found.at("f1").get<double>() > 50);
  CHECK(std::abs(found.at("matthews").get<double>()) <= 100);

  need(std::system("python3 -c 'import torch, safetensors' 2>/dev/null") == 0, Need::kOther,
       "no Python with torch and safetensors");
  const std::string source = std::getenv("MOSAIC_SOURCE_DIR");
  const std::string command = "cd " + (folder / "").string() + " && PYTHONPATH=" + source +
                              "/python python3 " + source +
                              "/examples/load_subnet.py tuned xy.safetensors";
  CHECK(std::system(command.c_str()) == 0);
}

namespace {

/// Sentences, and word by word their translation.
std::pair<std::string, std::string> parallel(int rows, std::uint64_t seed) {
  static const std::vector<std::pair<std::string, std::string>> words = {
      {"ship", "Schiff"}, {"home", "heim"}, {"gull", "Vogel"}, {"tide", "Flut"}, {"low", "tief"}};
  core::Stream stream(seed, "parallel");
  std::string source, target;
  for (int i = 0; i < rows; ++i) {
    for (auto left = 2 + stream.below(4); left > 0; --left) {
      const auto& [from, to] = words[stream.below(words.size())];
      source += from + (left > 1 ? " " : "\n");
      target += to + (left > 1 ? " " : "\n");
    }
  }
  return {source, target};
}

const std::string kTranslation = R"(
[job]
name = "translate"
threads = 1
[space]
name = "hat-translation"
encoder_layers = 1
decoder_layers = 2
dropout_percent = 0
[task]
name = "translation"
path = "data"
source = "en"
target = "de"
vocabulary = 60
longest = 16
[supernet]
optimizer = "adamw"
learning_rate = 1e-3
epochs = 16
batch_size = 32
[[objective]]
metric = "bleu"
examples = 20
[[objective]]
metric = "latency_ms"
warmup = 1
repeats = 5
predictor = "none"
beam = 2
[search]
algorithm = "random"
evaluations = 4
population = 4
)";

}  // namespace

TEST_CASE("a job over parallel text ends with networks that translate", "[slow]") {
  const Folder folder("translation");
  std::filesystem::create_directories(folder / "data");
  for (const auto& [stem, rows] : {std::pair{"train", 800}, {"val", 40}, {"test", 40}}) {
    const auto [source, target] = parallel(rows, static_cast<std::uint64_t>(rows) + stem[0]);
    folder.write(std::string("data/") + stem + ".en", source);
    folder.write(std::string("data/") + stem + ".de", target);
  }
  folder.write("job.toml", kTranslation);
  const auto run = folder.run({"run", "job.toml", "--db", "r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.errors, Contains("800 pairs of sentences to train, 40 to validate, 40 to test"));
  const auto front = json::parse(folder.run({"front", "--db", "r.db", "--json"}).output);
  REQUIRE_FALSE(front.empty());
  const auto extract = folder.run({"extract", "--db", "r.db", "--best", "bleu", "--out", "net"});
  INFO(extract.errors);
  REQUIRE(extract.status == 0);
  REQUIRE(std::filesystem::exists(folder / "net/tokenizer.model"));
  const auto eval =
      folder.run({"eval", "net", "--split", "test", "--json", "--outputs", "xy.safetensors"});
  INFO(eval.errors);
  REQUIRE(eval.status == 0);
  const auto found = json::parse(eval.output);
  CHECK(found.at("examples") == 40);
  CHECK(found.at("bleu").get<double>() > 20);
  CHECK(found.at("perplexity").get<double>() < 3);

  need(std::system("python3 -c 'import torch, safetensors' 2>/dev/null") == 0, Need::kOther,
       "no Python with torch and safetensors");
  const std::string source = std::getenv("MOSAIC_SOURCE_DIR");
  const std::string command = "cd " + (folder / "").string() + " && PYTHONPATH=" + source +
                              "/python python3 " + source +
                              "/examples/load_subnet.py net xy.safetensors";
  CHECK(std::system(command.c_str()) == 0);
}
