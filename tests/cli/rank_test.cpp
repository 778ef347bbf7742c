// `mosaic rank` from job file to table, page and database.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "job.hpp"
#include "needs.hpp"

using namespace mosaic::cli::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using nlohmann::json;

namespace {

const std::string kJob = R"([job]
name = "poolings"
threads = 1
[space]
name = "resnet-pooling"
layers = 5
poolings = 1
width = 2
[task]
name = "fashion-mnist"
limit = 600
validation = 0.5
[supernet]
router = "plain"
epochs = 2
batch_size = 50
[rank]
supernets = 2
images = 200
calibration = 256
)";
const std::string kTruth = R"([rank.truth]
seeds = 2
epochs = 1
batch_size = 50
)";

}  // namespace

TEST_CASE("rank: networks alone, supernets, statistics, page") {
  need_data();
  const Folder folder("rank");
  folder.write("job.toml", kJob + kTruth);
  const auto run = folder.run({"rank", "job.toml", "--db", "r.db", "--json"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  const auto result = json::parse(run.output);
  CHECK(result.at("networks").at("arch").size() == 4);
  CHECK(result.at("scores").size() ==
        6);  // accuracy, loss, loss and FLOPs, parameters, effective ones, FLOPs
  for (const auto& score : result.at("scores")) {
    const double tau = score.at("over_seeds").at("kendall").at("mean");
    CHECK(std::abs(tau) <= 1);
  }
  CHECK_THAT(slurp(folder / "rank.html"), Contains("inherited cross-entropy"));
  const mosaic::db::Reader reader((folder / "r.db").string());
  const auto counts =
      reader.query("SELECT metric, count(*) FROM measurements GROUP BY metric ORDER BY metric");
  REQUIRE(counts.rows.size() == 4);  // accuracy and loss, inherited and alone
  for (const auto& row : counts.rows) CHECK(row[1].text == "8");  // 4 networks, 2 seeds

  SECTION("asked again, nothing is done again") {
    const auto again = folder.run({"rank", "job.toml", "--db", "r.db", "--json"});
    INFO(again.errors);
    REQUIRE(again.status == 0);
    CHECK(json::parse(again.output) == result);
    CHECK_THAT(again.errors, !Contains("supernets:") && !Contains("networks alone"));
  }
  SECTION("killed on its way, it ends as it would have") {
    for (const auto* crash : {"3", "9"}) {
      CAPTURE(crash);
      const Folder other("rank_killed");
      other.write("job.toml", kJob + kTruth);
      const auto killed =
          other.run({"rank", "job.toml", "--db", "r.db"}, {{"MOSAIC_CRASH_AT", crash}});
      REQUIRE(killed.status != 0);
      const auto resumed = other.run({"rank", "job.toml", "--db", "r.db"});
      INFO(resumed.errors);
      REQUIRE(resumed.status == 0);
      CHECK(content(other / "r.db") == content(folder / "r.db"));
    }
  }
}

TEST_CASE("rank: the truth may be the loss of networks trained alone") {
  need_data();
  const Folder folder("rank_loss");
  folder.write("wrong.toml", kJob + kTruth + "metric = \"top1\"\n");
  const auto wrong = folder.run({"rank", "wrong.toml", "--db", "r.db"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.errors,
             Contains("wrong.toml:25: [rank.truth] metric: the task has no metric 'top1'") &&
                 Contains("name one of accuracy, loss"));

  folder.write("job.toml", kJob + kTruth + "metric = \"loss\"\n");
  const auto run = folder.run({"rank", "job.toml", "--db", "r.db", "--json"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  const auto result = json::parse(run.output);
  CHECK(result.at("truth").at("description") == "test loss after 1 epochs alone, 2 seeds");
  CHECK(result.at("truth").at("unit") == "nats");
  CHECK(result.at("truth").at("higher_is_better") == false);
  std::map<std::string, json> scores;
  for (const auto& score : result.at("scores")) scores[score.at("name")] = score;
  CHECK(scores.at("inherited cross-entropy").at("same_scale") == true);
  CHECK(scores.at("inherited accuracy").at("same_scale") == false);
  // The truth is the mean over seeds of what the networks reached.
  const mosaic::db::Reader reader((folder / "r.db").string());
  const auto losses = reader.query(
      "SELECT a.arch, avg(m.value) FROM measurements m JOIN architectures a ON a.id = "
      "m.architecture WHERE m.metric = 'standalone_loss' GROUP BY a.arch ORDER BY a.arch");
  const auto& networks = result.at("networks");
  REQUIRE(losses.rows.size() == networks.at("arch").size());
  for (const auto& row : losses.rows) {
    const auto& archs = networks.at("arch");
    const auto at = std::find(archs.begin(), archs.end(), row[0].text) - archs.begin();
    CHECK(networks.at("truth").at(static_cast<std::size_t>(at)).get<double>() ==
          Approx(std::stod(row[1].text)));
  }
}

TEST_CASE("rank: networks trained otherwise are another truth, and equal ones are shared") {
  need_data();
  const Folder folder("rank_truths");
  const auto truths = [&](const std::string& name, const std::string& job) {
    std::string text = job;
    text.replace(text.find("poolings"), 8, name);
    folder.write(name + ".toml", text);
    const auto run = folder.run({"rank", name + ".toml", "--db", "r.db", "--only", "truth"});
    INFO(run.errors);
    REQUIRE(run.status == 0);
    const mosaic::db::Reader reader((folder / "r.db").string());
    return reader
        .query(
            "SELECT count(*) FROM measurements m JOIN jobs j ON j.id = m.job WHERE m.metric = "
            "'standalone_accuracy' AND j.name = '" +
            name + "'")
        .rows[0][0]
        .text;
  };
  const auto changed = [](std::string job, const std::string& old, const std::string& line) {
    return job.replace(job.find(old), old.size(), line);
  };
  const std::string job = kJob + "[rank.truth]\nseeds = 1\nepochs = 1\nbatch_size = 50\n";
  CHECK(truths("first", job) == "4");
  CHECK(truths("same", job) == "0");
  CHECK(truths("momentum", job + "momentum = 0.5\n") == "4");
  CHECK(truths("standard", job + "momentum = 0.9\n") == "0");
  CHECK(truths("plain", changed(job, "limit = 600\n", "limit = 600\naugment = false\n")) == "4");
  CHECK(truths("seed", changed(job, "threads = 1\n", "threads = 1\nseed = 2\n")) == "4");
  // As many images for training, but others of them.
  CHECK(truths("others", changed(changed(job, "limit = 600\nvalidation = 0.5\n",
                                         "limit = 500\nvalidation = 0.4\n"),
                                 "seeds = 1\n", "seeds = 1\nall_images = false\n")) == "4");
  CHECK(truths("own", job + "all_images = false\n") == "4");
  // Under these texts earlier versions recorded them.
  const auto recorded = [&](const std::string& name) {
    return mosaic::db::Reader((folder / "r.db").string())
        .query(
            "SELECT DISTINCT m.fidelity FROM measurements m JOIN jobs j ON j.id = m.job WHERE "
            "j.name = '" +
            name + "'")
        .rows.at(0)[0]
        .text;
  };
  const std::string settings =
      "stand-alone, epochs=1, batch=50, sgd, rate=0.1, decay=5e-04, clip=5, smoothing=0, "
      "warmup=0.05, auto, seed=1, split=test, data=";
  const std::string data = ", trained on 600, calibrated on augmented 256";
  CHECK_THAT(recorded("first"),
             StartsWith(settings) && EndsWith(data + ", limit=600, validation=0.5"));
  CHECK_THAT(recorded("momentum"), EndsWith(data + ", momentum=0.5, limit=600, validation=0.5"));
  CHECK_THAT(recorded("plain"), EndsWith(data + ", not augmented, limit=600, validation=0.5"));
}

TEST_CASE("rank: what an earlier version recorded for a job is still its truth") {
  need_data();
  const Folder folder("rank_former");
  folder.write("job.toml", kJob +
                               "[rank.truth]\nseeds = 1\nepochs = 1\nbatch_size = 50\n"
                               "momentum = 0.5\n");
  const std::vector<std::string> command{"rank", "job.toml", "--db", "r.db", "--only", "truth"};
  REQUIRE(folder.run(command).status == 0);
  const auto count = [&] {
    return mosaic::db::Reader((folder / "r.db").string())
        .query(
            "SELECT count(*) FROM measurements WHERE fidelity LIKE '%momentum%' AND fidelity "
            "LIKE '%validation=0.5%'")
        .rows[0][0]
        .text;
  };
  REQUIRE(count() == "8");  // accuracy and loss of four networks
  const std::string former =
      "cd " + (folder / "").string() +
      " && sqlite3 r.db \"UPDATE measurements SET fidelity = substr(fidelity, 1, instr(fidelity, "
      "', momentum') - 1)\"";
  mosaic::need(std::system(former.c_str()) == 0, mosaic::Need::kTools, "no sqlite3");
  REQUIRE(count() == "0");
  const auto again = folder.run(command);
  INFO(again.errors);
  REQUIRE(again.status == 0);
  CHECK(count() == "0");  // nothing was trained again
  // It is not that of a job with another momentum, though its text does not say so.
  folder.write("other.toml", kJob + "[rank.truth]\nseeds = 1\nepochs = 1\nbatch_size = 50\n");
  std::string other = slurp(folder / "other.toml");
  const auto name = other.find("name = \"") + 8;
  folder.write("other.toml", other.insert(name, "other-"));
  REQUIRE(folder.run({"rank", "other.toml", "--db", "r.db", "--only", "truth"}).status == 0);
  CHECK(mosaic::db::Reader((folder / "r.db").string())
            .query("SELECT count(*) FROM measurements WHERE metric = 'standalone_accuracy'")
            .rows[0][0]
            .text == "8");
}

TEST_CASE("rank: the truth from a table, and what it lacks") {
  need_data();
  const Folder folder("rank_table");
  folder.write("truth.csv", "arch,top1\n1-4,90\n2-3,91.5\n3-2,92\n");
  folder.write("job.toml", kJob + "[rank.truth]\nfile = \"truth.csv\"\ncolumn = \"top1\"\n");
  const auto run = folder.run({"rank", "job.toml", "--db", "r.db"});
  INFO(run.errors);
  REQUIRE(run.status == 0);
  CHECK_THAT(run.errors, Contains("lacks 1 of 4 networks"));
  CHECK_THAT(run.output, Contains("FLOPs") && Contains("inherited accuracy"));
  CHECK_THAT(run.output, !Contains("best truth:"));

  // The best of the table, apart.
  std::string parts = kJob;
  const std::string plain = "\"plain\"";
  parts.replace(parts.find(plain), plain.size(), "\"partition\"\nsplit = \"poolings:0,1|2,3\"");
  folder.write("best.toml",
               parts + "[rank.truth]\nfile = \"truth.csv\"\ncolumn = \"top1\"\nbest = 2\n");
  const auto best = folder.run({"rank", "best.toml", "--db", "r2.db", "--json"});
  INFO(best.errors);
  REQUIRE(best.status == 0);
  const auto result = json::parse(best.output);
  CHECK(result.at("networks").at("arch").size() == 3);
  CHECK(result.at("best").at("networks").at("arch") == json::array({"3-2", "2-3"}));
  const auto ends = result.at("sharing")[1].at("ends");
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].at("question") == "{1-4, 2-3} | {3-2, 4-1}");
  CHECK(result.at("sharing_places")[0].at("questions").at("{1-4, 2-3} | {3-2, 4-1}") == 2);
  CHECK_THAT(slurp(folder / "rank.html"), Contains("{1-4, 2-3} | {3-2, 4-1}"));
  const auto all = result.at("scores")[0].at("values")[0];
  CHECK(result.at("best").at("scores")[0].at("values")[0] == json::array({all[2], all[1]}));
}

TEST_CASE("rank: what is wrong is said before anything is trained") {
  const Folder folder("rank_wrong");
  folder.write("none.toml",
               "[job]\nname = \"x\"\n[space]\nname = \"resnet-pooling\"\n"
               "[[objective]]\nmetric = \"params\"\n");
  const auto none = folder.run({"rank", "none.toml"});
  CHECK(none.status == 2);
  CHECK_THAT(none.errors, Contains("has no [rank] section"));
  folder.write("job.toml", kJob + "[rank.truth]\nfile = \"missing.csv\"\ncolumn = \"top1\"\n");
  const auto missing = folder.run({"rank", "job.toml"});
  CHECK(missing.status == 2);
  CHECK_THAT(missing.errors, Contains("missing.csv"));
  folder.write("judged.toml", kJob + "[rank.truth]\nsplit = \"validation\"\nall_images = true\n");
  const auto judged = folder.run({"rank", "judged.toml"});
  CHECK(judged.status == 2);
  CHECK_THAT(judged.errors, Contains("cannot be judged by them"));
}
