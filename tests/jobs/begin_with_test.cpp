// [supernet] begin_with: a supernet of masked words, then one of labelled sentences that begins
// with its weights.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "cli/job.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/jobs/extract.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "tasks/files.hpp"

using namespace mosaic;
using Catch::Contains;
using tasks::testing::told;

namespace {

namespace fs = std::filesystem;

std::string sentence(core::Stream& stream, const std::string& first) {
  static const std::vector<std::string> words = {"the", "old",  "film",  "told", "a",     "story",
                                                 "of",  "rain", "river", "and",  "quiet", "house"};
  std::string text = first;
  for (auto left = 2 + stream.below(6); left > 0; --left)
    text += " " + words[stream.below(words.size())];
  return text + "\n";
}

std::string job(const std::string& name, const std::string& task, const std::string& supernet) {
  return "[job]\nname = \"" + name +
         "\"\nthreads = 1\ndevice = \"cpu\"\n[space]\nname = \"bert\"\nlayers = 2\n[task]\n" +
         "vocabulary = 60\nlongest = 16\n" + task +
         "[supernet]\nepochs = 1\nbatch_size = 25\noptimizer = \"adamw\"\nlearning_rate = 1e-3\n" +
         supernet;
}
const std::string kSearch =
    "[[objective]]\nmetric = \"accuracy\"\nexamples = 20\n[[objective]]\nmetric = \"params\"\n"
    "[search]\nalgorithm = \"random\"\npopulation = 4\nevaluations = 4\n";
const std::string kPlain = "sharing = \"plain\"\n";

const std::string kCheckpoints = "checkpoint_minutes = 0\n";  // after every step

/// Begins a job whose folder is `files`, which is killed between two checkpoints.
void interrupt(const cli::test::Folder& folder, const std::vector<std::string>& command,
               const std::string& files) {
  const auto path = jobs::supernet_path(files);
  for (int crash = 16; !fs::exists(path); crash += 4) {
    fs::remove_all(files);
    const auto killed = folder.run(command, {{"MOSAIC_CRASH_AT", std::to_string(crash)}});
    INFO(killed.errors);
    REQUIRE(killed.status > 128);
  }
  REQUIRE_FALSE(supernet::training_complete(path));
}

/// Text and sentences; the supernet of masked words lies in r-files/words.
class Words {
 public:
  explicit Words(const std::string& sharing = kPlain) : folder("begin_with") {
    ::setenv("MOSAIC_CACHE", (folder / "cache").c_str(), 1);
    fs::create_directories(folder / "text");
    fs::create_directories(folder / "sentences");
    core::Stream stream(1, "sentences");
    std::string lines, rows = "label\tsentence\n";
    for (int i = 0; i < 240; ++i) lines += sentence(stream, i % 2 == 0 ? "bad" : "good");
    for (int i = 0; i < 120; ++i)
      rows += i % 2 == 0 ? "no\t" + sentence(stream, "bad") : "yes\t" + sentence(stream, "good");
    folder.write("text/train.txt", lines);
    folder.write("sentences/train.tsv", rows);
    words_job("words", sharing);
    jobs::run_job({path("words.toml"), db()}, jobs::Goal::train);
  }
  ~Words() { ::unsetenv("MOSAIC_CACHE"); }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  std::string path(const std::string& name) const { return (folder / name).string(); }
  std::string db() const { return path("r.db"); }
  std::string donor() const { return path("r-files/words"); }
  std::string tokenizer() const { return "tokenizer = \"" + donor() + "/tokenizer.model\"\n"; }

  void words_job(const std::string& name, const std::string& supernet) const {
    folder.write(name + ".toml", job(name, "name = \"masked-lm\"\npath = \"text\"\n", supernet) +
                                     "[[objective]]\nmetric = \"perplexity\"\n");
  }
  std::string sentences_job(const std::string& supernet, const std::string& begin,
                            const std::string& tokenizer) const {
    const auto task = "name = \"text-classification\"\npath = \"sentences\"\n" + tokenizer;
    folder.write("sentences.toml",
                 job("sentences", task,
                     (begin.empty() ? "" : "begin_with = \"" + begin + "\"\n") + supernet) +
                     kSearch);
    return path("sentences.toml");
  }
  jobs::Workplace sentences(const std::string& supernet, const std::string& begin,
                            const std::string& tokenizer) const {
    return jobs::Workplace::open(
        jobs::JobFile::from_file(sentences_job(supernet, begin, tokenizer)));
  }

  const cli::test::Folder folder;
};

/// A fresh supernet, before its training.
std::unique_ptr<supernet::Supernet> begun(const jobs::Workplace& work, const Words& words) {
  auto made = work.make_supernet();
  supernet::Supernet* const members[] = {made.get()};
  fs::create_directories(words.folder / "begun");
  work.begin_training(members, words.path("begun"));
  return made;
}

at::Tensor stored(const supernet::TensorFile& file, const std::string& name) {
  const auto found = file.tensors.find(name);
  return found == file.tensors.end() ? at::Tensor() : found->second;
}

}  // namespace

TEST_CASE("a supernet of sentences begins with the weights of one of masked words") {
  const Words words;
  const auto work = words.sentences(kPlain, words.donor(), words.tokenizer());
  const auto donor = supernet::load_tensors(words.donor() + "/supernet.safetensors");
  std::unique_ptr<supernet::Supernet> made;
  const auto log = told([&] { made = begun(work, words); });
  CHECK_THAT(log, Contains("training begins with ") && Contains("% of the weights"));
  CHECK_THAT(log, !Contains("warning"));
  const auto fresh = work.make_supernet();
  const auto drawn = fresh->parameters(), given = made->parameters();
  std::vector<std::string> own;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const auto& [name, value] = given[i];
    CAPTURE(name);
    const auto theirs = stored(donor, name);
    if (theirs.defined() && theirs.numel() == value.numel()) {
      CHECK(at::equal(value.reshape(-1), theirs.reshape(-1)));
    } else {
      own.push_back(name);
      CHECK(at::equal(value, drawn[i].second));
    }
  }
  // What gives classes rather than words.
  CHECK(own == std::vector<std::string>{"bank.pooler.weight", "bank.pooler.bias",
                                        "bank.classifier.weight", "bank.classifier.bias"});
  CHECK(cli::test::slurp(words.folder / "begun/tokenizer.model") ==
        cli::test::slurp(words.folder / "r-files/words/tokenizer.model"));
}

TEST_CASE("a supernet that cannot begin with another one says why at the line of the key") {
  const Words words;
  const auto refused = [&](const std::string& begin, const std::string& tokenizer) {
    return tasks::testing::refusal([&] { words.sentences(kPlain, begin, tokenizer); });
  };
  const std::string line = "sentences.toml:19: [supernet] begin_with: ";
  const auto missing = refused("nowhere", words.tokenizer());
  CHECK_THAT(missing, Contains(line + "nowhere holds no supernet.safetensors") &&
                          Contains("name the folder of a job whose supernet was trained"));

  // Without the key `tokenizer` the vocabulary is learned from the sentences.
  auto other = refused(words.donor(), "");
  CHECK_THAT(other, Contains("sentences.toml:18: [supernet] begin_with: the supernet in " +
                             words.donor() + " was trained with another tokenizer.model") &&
                        Contains("set [task] " + words.tokenizer().substr(0, 20)));

  words.words_job("unfinished", kPlain + kCheckpoints);
  const auto unfinished = words.path("r-files/unfinished");
  interrupt(words.folder, {"train", "unfinished.toml", "--db", "r.db"}, unfinished);
  const auto early = refused(unfinished, words.tokenizer());
  CHECK_THAT(early,
             Contains(line + "the supernet in " + unfinished + " is not trained to the end") &&
                 Contains("finish that job first: mosaic resume"));

  const auto model = words.donor() + "/tokenizer.model";
  fs::copy(model, words.folder / "kept.model");
  fs::remove(model);
  const std::string kept = "tokenizer = \"" + words.path("kept.model") + "\"\n";
  const auto former = refused(words.donor(), kept);
  CHECK_THAT(former, Contains(line + "there is no tokenizer.model beside the supernet in " +
                              words.donor() + ": an earlier version of Mosaic trained it") &&
                         Contains("copy the tokenizer.model of a network that was extracted"));
  fs::copy(words.folder / "kept.model", model);
  CHECK_NOTHROW(words.sentences(kPlain, words.donor(), kept));
}

TEST_CASE("copies: all may begin with the only one of another supernet, but not with several") {
  const Words words;
  const std::string mixed = "sharing = \"layer-wise\"\ncopies = 3\nhidden = 8\n";
  {
    const auto work = words.sentences(mixed, words.donor(), words.tokenizer());
    const auto donor = supernet::load_tensors(words.donor() + "/supernet.safetensors");
    std::unique_ptr<supernet::Supernet> made;
    CHECK_THAT(told([&] { made = begun(work, words); }), !Contains("are begun with"));
    std::size_t several = 0;
    for (const auto& trained : made->trained()) {
      const auto theirs = stored(donor, trained.name);
      if (trained.slot < 0 || !theirs.defined() || trained.value.size(0) != 3) continue;
      CAPTURE(trained.name);
      if (theirs.numel() * 3 != trained.value.numel()) continue;  // the head
      ++several;
      const at::Tensor even = trained.value.mean(0).reshape(-1);
      CHECK((even - theirs.reshape(-1)).abs().max().item<double>() < 1e-6);
      if (theirs.abs().max().item<double>() > 0.01 && trained.value.dim() > 2)
        CHECK_FALSE(at::equal(trained.value[0], trained.value[1]));
    }
    CHECK(several > 10);
  }

  words.words_job("mixed", mixed);
  jobs::run_job({words.path("mixed.toml"), words.db()}, jobs::Goal::train);
  const auto mixture = words.path("r-files/mixed");
  for (const auto& [sharing, warned] : {std::pair{mixed, false},
                                        {kPlain, true},
                                        {"sharing = \"layer-wise\"\ncopies = 2\n", true}}) {
    CAPTURE(sharing);
    const auto work = words.sentences(sharing, mixture, words.tokenizer());
    const auto log = told([&] { begun(work, words); });
    if (warned)
      CHECK_THAT(log, Contains("% of the weights are begun with: that supernet has another number "
                               "of copies of them ([supernet] sharing, copies, routed)"));
    else
      CHECK_THAT(log, !Contains("are begun with"));
  }
}

TEST_CASE("the identity of a training has the weights that it begins with") {
  const Words words;
  const auto identity = [&](const std::string& begin) {
    return words.sentences(kPlain, begin, words.tokenizer()).training_identity();
  };
  const auto with = identity(words.donor());
  CHECK(with != identity(""));
  fs::copy(words.donor(), words.folder / "copy", fs::copy_options::recursive);
  CHECK(identity(words.path("copy")) == with);  // where it lies is of no matter
  const auto path = words.path("copy/supernet.safetensors");
  auto file = supernet::load_tensors(path);
  const auto weight = file.tensors.at("bank.embedding.weight");
  file.tensors["bank.embedding.weight"] = weight + 1;
  supernet::save_tensors(path, file);
  CHECK(identity(words.path("copy")) != with);

  // A job that has begun with weights is not trained with others.
  auto work = words.sentences(kPlain, words.path("copy"), words.tokenizer());
  file.tensors["bank.embedding.weight"] = weight;
  supernet::save_tensors(path, file);
  CHECK_THROWS_WITH(begun(work, words), Contains("is not what it was when the job began"));
  fs::remove(path);
  CHECK_THROWS_WITH(begun(work, words), Contains("is not what it was when the job began"));
}

TEST_CASE("a job that begins with another one goes on bit for bit, and then without it") {
  const Words words;
  words.sentences_job(kPlain + "ema = 0.9\n" + kCheckpoints, words.donor(), words.tokenizer());
  const auto files = words.path("s-files/sentences"), path = jobs::supernet_path(files);
  const std::vector<std::string> run{"run", "sentences.toml", "--db", "s.db"};
  const auto unbroken = words.folder.run(run);
  INFO(unbroken.errors);
  REQUIRE(unbroken.status == 0);
  const auto expected = cli::test::content(words.folder / "s.db");
  const auto weights = supernet::checkpoint_content(path);
  for (const bool trained : {false, true}) {  // killed before it was trained, and after some steps
    CAPTURE(trained);
    fs::remove(words.folder / "s.db");
    fs::remove_all(files);
    if (trained) {
      interrupt(words.folder, run, files);
      fs::rename(words.donor(), words.folder / "gone");
    } else {
      REQUIRE(words.folder.run(run, {{"MOSAIC_CRASH_AT", "4"}}).status != 0);
      REQUIRE_FALSE(fs::exists(path));
    }
    const auto resumed = words.folder.run({"resume", "--db", "s.db"});
    INFO(resumed.errors);
    REQUIRE(resumed.status == 0);
    CHECK(supernet::checkpoint_content(path) == weights);
    CHECK(cli::test::content(words.folder / "s.db") == expected);
  }
  REQUIRE_FALSE(fs::exists(words.donor()));
  jobs::ExtractOptions options;
  options.db = words.path("s.db");
  options.selection.metric = "accuracy";
  options.out = words.path("net");
  CHECK(jobs::extract_subnet(options).difference < 1e-5);
}
