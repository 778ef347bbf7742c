// `mosaic predictor fit|predict|eval` as a user meets them: tables in, files and scores out.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "program.hpp"

using namespace mosaic;
using namespace mosaic::cli::test;
using Catch::Contains;
using Catch::StartsWith;
using nlohmann::json;

namespace {

double truth_of(double depth, double width, bool relu) {
  return (5 + 3 * depth * width) * (relu ? 1 : 1.2);
}

/// depth, width, activation, two latencies, their deviations; rows `slow_from` to `slow_to` 1.3
/// slow.
std::string table_of(std::size_t rows, std::uint64_t seed, std::size_t slow_from = 0,
                     std::size_t slow_to = 0) {
  core::Stream stream(seed, "test.cli.table");
  std::ostringstream text;
  text << "arch,depth,width,activation,latency_encoder,latency_decoder,std_encoder,std_decoder\n";
  for (std::size_t i = 0; i < rows; ++i) {
    const double depth = 1 + static_cast<double>(stream.below(6));
    const double width = 1 + stream.uniform();
    const bool relu = stream.below(2) == 0;
    const double latency = truth_of(depth, width, relu) * (1 + 0.01 * stream.normal()) *
                           (i >= slow_from && i < slow_to ? 1.3 : 1);
    text << "net" << i << "," << depth << "," << width << "," << (relu ? "relu" : "gelu") << ","
         << 0.1 * latency << "," << 0.9 * latency << ",0.1,0.2\n";
  }
  return text.str();
}

const std::vector<std::string> kColumns{"--target",        "latency_encoder", "--target",
                                        "latency_decoder", "--sum",           "--drop",
                                        "std_*",           "--drop",          "arch"};

std::vector<std::string> with_columns(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kColumns.begin(), kColumns.end());
  return arguments;
}

}  // namespace

TEST_CASE("a predictor is fitted to a table, asked about another, and says how sure it is") {
  const Folder folder("predictor_fit");
  folder.write("train.csv", table_of(150, 1));
  folder.write("rows.csv", table_of(60, 2));
  const Outcome fitted =
      folder.run(with_columns({"predictor", "fit", "train.csv", "--predictor",
                               "auto(candidates=ridge+gp)", "--out", "p.model"}));
  INFO(fitted.errors);
  REQUIRE(fitted.status == 0);
  CHECK_THAT(fitted.output,
             Contains("fitted auto(candidates=ridge+gp) to 150 rows of 4 features") &&
                 Contains("chose ") && Contains("written to p.model"));

  const Outcome asked =
      folder.run({"predictor", "predict", "p.model", "rows.csv", "--out", "predictions.csv"});
  INFO(asked.errors);
  REQUIRE(asked.status == 0);
  const auto rows = core::read_csv((folder / "rows.csv").string());
  const auto predictions = core::read_csv((folder / "predictions.csv").string());
  CHECK(predictions.columns == std::vector<std::string>{"arch", "mean", "deviation"});
  REQUIRE(predictions.rows.size() == 60);
  std::size_t inside = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    CHECK(predictions.rows[i][0] == rows.rows[i][0]);
    const double truth = rows.number(i, 4) + rows.number(i, 5);
    const double error = std::abs(predictions.number(i, 1) - truth);
    CHECK(error < 0.05 * truth);
    inside += error <= 1.645 * predictions.number(i, 2) ? 1 : 0;
  }
  CHECK(inside >= 45);
  CHECK(inside <= 60);
}

TEST_CASE("predictor eval scores what was held out, by seeds and by number of rows") {
  const Folder folder("predictor_eval");
  folder.write("t.csv", table_of(300, 3));
  const Outcome outcome =
      folder.run(with_columns({"predictor", "eval", "t.csv", "--predictor", "gp", "--test", "100",
                               "--curve", "10,50,200", "--seeds", "3", "--json"}));
  INFO(outcome.errors);
  REQUIRE(outcome.status == 0);
  const json result = json::parse(outcome.output);
  CHECK(result.at("predictor") == "gp");
  CHECK(result.at("rows") == 300);
  CHECK(result.at("features") == json({"depth", "width", "activation=gelu", "activation=relu"}));
  REQUIRE(result.at("curve").size() == 3);
  CHECK(result["curve"][0].at("train") == 10);
  CHECK(result["curve"][0]["mape"] > result["curve"][2]["mape"]);
  CHECK(result.at("train") == 200);
  CHECK(result.at("scored") == 300);
  CHECK(result.at("mape") < 1.3);  // the noise alone makes 0.8
  CHECK(result.at("pairs") == Approx((result.at("kendall").get<double>() + 1) / 2));
  CHECK(result.at("coverage").get<double>() == Approx(0.9).margin(0.08));
  REQUIRE(result.at("seeds").size() == 3);
  double mean = 0;
  for (const auto& one : result["seeds"]) mean += one.at("mape").get<double>() / 3;
  CHECK(result["mape"].get<double>() == Approx(mean));

  const Outcome again =
      folder.run(with_columns({"predictor", "eval", "t.csv", "--predictor", "gp", "--train", "200",
                               "--test", "100", "--seed", "2", "--json"}));
  REQUIRE(again.status == 0);
  CHECK(json::parse(again.output).at("mape") == result["seeds"][1].at("mape"));

  const Outcome text =
      folder.run(with_columns({"predictor", "eval", "t.csv", "--predictor", "gp", "--seeds", "2"}));
  REQUIRE(text.status == 0);
  CHECK_THAT(text.output, Contains("MAPE %") && Contains("240") && Contains(" +- "));
}

TEST_CASE("predictor eval finds a slow stretch by itself and does not score its rows") {
  const Folder folder("predictor_ordered");
  folder.write("t.csv", table_of(400, 4, 150, 230));
  const auto run = [&](bool ordered) {
    auto arguments = with_columns({"predictor", "eval", "t.csv", "--predictor",
                                   "auto(candidates=ridge+gp)", "--test", "100", "--json"});
    if (ordered) arguments.push_back("--ordered");
    const Outcome outcome = folder.run(arguments);
    INFO(outcome.errors);
    REQUIRE(outcome.status == 0);
    return json::parse(outcome.output);
  };
  const json ordered = run(true);
  REQUIRE(ordered.at("stretches").size() == 1);
  CHECK(std::abs(ordered["stretches"][0].at("first").get<int>() - 151) <= 1);
  CHECK(std::abs(ordered["stretches"][0].at("last").get<int>() - 230) <= 1);
  CHECK(ordered["stretches"][0].at("factor").get<double>() == Approx(1.3).epsilon(0.02));
  CHECK(ordered.at("scored") < 100);
  CHECK(ordered.at("mape") < 1.2);
  CHECK_THAT(ordered.at("description").get<std::string>(), Contains("1.30 times slow"));
  CHECK(run(false).at("mape") > 3 * ordered.at("mape").get<double>());
}

TEST_CASE("predictor commands read gzipped tables and warn of a column that tells the target") {
  const Folder folder("predictor_gzip");
  std::istringstream lines(table_of(80, 5));
  std::ostringstream told;
  std::string line;
  std::getline(lines, line);
  told << line << ",copy\n";
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string decoder;
    for (int i = 0; i < 6; ++i) std::getline(cells, decoder, ',');
    told << line << "," << 2 * std::stod(decoder) << "\n";
  }
  folder.write("t.csv", told.str());
  REQUIRE(std::system(("gzip '" + (folder / "t.csv").string() + "'").c_str()) == 0);
  const Outcome outcome = folder.run(
      with_columns({"predictor", "fit", "t.csv.gz", "--predictor", "ridge", "--out", "p.model"}));
  INFO(outcome.errors);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.errors, Contains("column 'copy' all but tells the target") &&
                                 Contains("--drop 'copy' unless it is known before measuring"));
  const Outcome dropped = folder.run(with_columns({"predictor", "fit", "t.csv.gz", "--predictor",
                                                   "ridge", "--out", "p.model", "--drop", "copy"}));
  CHECK(dropped.errors.find("tells the target") == std::string::npos);
}

TEST_CASE("predictor commands say what is wrong with tables, columns and files") {
  const Folder folder("predictor_errors");
  folder.write("t.csv", table_of(60, 6));
  const auto fit = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"predictor", "fit",   "t.csv",  "--predictor",
                                       "ridge",     "--out", "p.model"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return folder.run(arguments);
  };
  const Outcome two = fit({"--target", "latency_encoder", "--target", "latency_decoder"});
  CHECK(two.status == 2);
  CHECK_THAT(two.errors,
             Contains("2 targets for one predictor") &&
                 Contains("add --sum to learn their sum, or fit one predictor for each"));
  const Outcome unknown = fit({"--target", "latency_encodr"});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.errors, Contains("latency_encoder"));
  const std::string table = slurp(folder / "t.csv");
  folder.write("t.csv", "name" + table.substr(4));
  const Outcome names = fit({"--target", "latency_encoder"});
  folder.write("t.csv", table);
  CHECK(names.status == 1);
  CHECK_THAT(names.errors,
             Contains("column 'name' of 't.csv' holds text of 60 kinds, too many for a feature") &&
                 Contains("leave it out with --drop 'name'") && Contains("--group 'name'"));
  const Outcome nothing = fit({"--target", "latency_encoder", "--drop", "sdt_*"});
  CHECK(nothing.status == 2);
  CHECK_THAT(nothing.errors, Contains("no column of t.csv matches 'sdt_*'"));
  const Outcome all = fit({"--target", "latency_encoder", "--drop", "*"});
  CHECK(all.status == 2);
  CHECK_THAT(all.errors, Contains("no column of 't.csv' is left as a feature"));

  REQUIRE(fit({"--target", "latency_encoder", "--drop", "arch", "--drop", "*_*"}).status == 0);
  folder.write("other.csv", "depth,activation\n1,relu\n");
  const Outcome lacks = folder.run({"predictor", "predict", "p.model", "other.csv"});
  CHECK(lacks.status == 1);
  CHECK_THAT(lacks.errors, Contains("'other.csv' lacks the column 'width', which the predictor was "
                                    "fitted on"));
  folder.write("other.csv", "depth,width,activation\n1,1,relu\n2,1,swish\n");
  const Outcome level = folder.run({"predictor", "predict", "p.model", "other.csv"});
  CHECK(level.status == 1);
  CHECK_THAT(level.errors,
             Contains("other.csv:3: the predictor has never seen 'activation' = 'swish'") &&
                 Contains("it knows gelu, relu"));
  folder.write("other.csv", "depth,width,activation\n1,1,relu\n2,wide,gelu\n");
  CHECK_THAT(folder.run({"predictor", "predict", "p.model", "other.csv"}).errors,
             Contains("other.csv:3: column 'width' is 'wide'"));
  folder.write("broken.model", slurp(folder / "p.model").substr(0, 300));
  CHECK_THAT(folder.run({"predictor", "predict", "broken.model", "t.csv"}).errors,
             Contains("damaged or truncated"));
  CHECK_THAT(folder.run({"predictor", "predict", "t.csv", "t.csv"}).errors,
             Contains("is not a predictor"));
  const Outcome many = folder.run({"predictor", "eval", "t.csv", "--target", "latency_encoder",
                                   "--drop", "arch", "--train", "50", "--test", "20"});
  CHECK(many.status == 2);
  CHECK_THAT(many.errors, Contains("50 rows to fit and 20 to score, but the table has 60"));
}

namespace {

/// Rows of `columns` numbers, a header before them; the last column is a smooth `ms`.
std::string numbers_of(std::size_t rows, std::size_t columns, const std::string& header,
                       std::uint64_t seed = 1) {
  core::Stream stream(seed, "test.cli.numbers");
  std::ostringstream text;
  text << header << "\n";
  for (std::size_t i = 0; i < rows; ++i) {
    double ms = 5;
    for (std::size_t j = 0; j < columns; ++j) {
      const double value = stream.uniform();
      ms += value / static_cast<double>(j + 1);
      text << value << ",";
    }
    text << ms * (1 + 0.01 * stream.normal()) << "\n";
  }
  return text.str();
}

std::vector<std::string> ridge(const std::string& command, const std::string& table,
                               std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"predictor", command,       table,  "--target",
                                     "ms",        "--predictor", "ridge"};
  if (command == "fit") arguments.insert(arguments.end(), {"--out", "p.model"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("numbers of rows, seeds and counts on the command line are checked before anything") {
  const Folder folder("predictor_numbers");
  folder.write("n.csv", numbers_of(40, 2, "depth,width,ms"));
  const auto refused = [&](const std::string& option) {
    const Outcome outcome = folder.run(ridge("eval", "n.csv", {option}));
    INFO(option << ": " << outcome.errors);
    CHECK(outcome.status == 2);
    CHECK(outcome.output.empty());
    CHECK(outcome.errors.find("unexpected") == std::string::npos);
    return outcome.errors;
  };
  CHECK_THAT(refused("--train=-1"), Contains("'-1' is not an integer from 1") &&
                                        Contains("leave the option out for all others"));
  CHECK_THAT(refused("--test=-1"), Contains("leave the option out for a fifth"));
  for (const char* option :
       {"--train=0", "--test=0", "--curve=-1", "--curve=10,-1", "--curve=0", "--seeds=-1",
        "--seeds=1001", "--seed=-1", "--seed=010", "--seed=18446744073709551616",
        "--train=99999999999999999999", "--train=18446744073709551610"})
    CHECK_THAT(refused(option), Contains(" is not an integer "));
  CHECK_THAT(refused("--train=999999999"),
             Contains("999999999 rows to fit and 8 to score, but the table has 40") &&
                 Contains("use at most 40 rows together"));
  CHECK_THAT(refused("--test=60"), Contains("0 rows to fit and 60 to score"));
  CHECK_THAT(refused("--test=40"), Contains("0 rows to fit, of 40 with 40 to score"));
  CHECK_THAT(refused("--train=3"), Contains("a predictor is fitted to at least 4"));
  const Outcome fit = folder.run(ridge("fit", "n.csv", {"--seed=-1"}));
  CHECK(fit.status == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "p.model"));
  for (const char* option : {"--count=0", "--count=-1", "--seed=-1"}) {
    const Outcome suggest = folder.run({"predictor", "suggest", "--known", "n.csv", option});
    CHECK(suggest.status == 2);
    CHECK_THAT(suggest.errors, Contains(" is not an integer "));
  }
}

TEST_CASE("text that is not UTF-8 is refused before anything is fitted") {
  const Folder folder("predictor_latin1");
  folder.write("u.csv", "caf\xE9,ms\n1,2\n2,3\n3,4\n4,5\n5,6\n");
  folder.write("v.csv", "kind,ms\na,2\n\xE9,3\na,4\na,5\na,6\n");
  for (const char* command : {"fit", "eval"}) {
    const Outcome header = folder.run(ridge(command, "u.csv"));
    CHECK(header.status == 1);
    CHECK_THAT(header.errors, Contains("u.csv:1: the name of column 1 is 'caf\uFFFD', which is not "
                                       "UTF-8") &&
                                  Contains("iconv -f LATIN1 -t UTF-8 < u.csv > new.csv"));
    const Outcome level = folder.run(ridge(command, "v.csv"));
    CHECK(level.status == 1);
    CHECK_THAT(level.errors, Contains("v.csv:3: column 'kind' is '\uFFFD', which is not UTF-8"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "p.model"));
  folder.write("n.csv", numbers_of(40, 2, "depth,width,ms"));
  const Outcome target =
      folder.run({"predictor", "fit", "n.csv", "--target", "caf\xE9", "--out", "p.model"});
  CHECK(target.status == 2);
  CHECK_THAT(target.errors, Contains("n.csv has no column 'caf\uFFFD'"));
}

TEST_CASE("rows of one network are scored together, by name or by equal features") {
  const Folder folder("predictor_groups");
  core::Stream stream(9, "test.groups");
  std::string bare = "depth,width,ms\n";
  std::string named = "arch,depth,width,ms\n";
  std::string serials = "serial,depth,width,ms\n";
  for (int network = 0; network < 30; ++network) {
    const std::string features =
        core::format_double(stream.uniform()) + "," + core::format_double(stream.uniform());
    const double ms = 1 + 9 * stream.uniform();  // nothing tells it but another row
    for (int repeat = 0; repeat < 5; ++repeat) {
      const std::string rest = core::format_double(ms + 0.01 * stream.uniform()) + "\n";
      bare += features + "," + rest;
      named += "net" + std::to_string(network) + "," + core::format_double(stream.uniform()) + "," +
               core::format_double(stream.uniform()) + "," + rest;
      serials += std::to_string(network) + "," + features + "," + rest;
    }
  }
  folder.write("bare.csv", bare);
  folder.write("named.csv", named);
  folder.write("serials.csv", serials);
  const auto eval = [&](const std::string& table, std::vector<std::string> more) {
    more.insert(more.end(), {"--json", "--seeds", "3"});
    std::vector<std::string> arguments{
        "predictor", "eval", table, "--target", "ms", "--predictor", "boosted-trees(rounds=200)"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = folder.run(arguments);
    INFO(outcome.errors);
    REQUIRE(outcome.status == 0);
    CHECK_THAT(outcome.errors, Contains("30 distinct networks in 150 rows"));
    return json::parse(outcome.output);
  };
  const json result = eval("bare.csv", {});
  CHECK(result.at("networks") == 30);
  CHECK(result.at("rows") == 150);
  CHECK(result.at("scored") == 90);  // six networks of five rows, three times
  CHECK(result.at("mape").get<double>() > 30);
  CHECK(std::abs(result.at("kendall").get<double>()) < 0.5);
  CHECK(eval("named.csv", {}).at("features") == json({"depth", "width"}));
  CHECK(eval("serials.csv", {"--group", "serial"}).at("features") == json({"depth", "width"}));

  const Outcome text = folder.run(ridge("eval", "bare.csv", {"--test", "12"}));
  CHECK_THAT(text.output, Contains("30 distinct networks in 150 rows: all rows of a network are on "
                                   "the same side of a split"));
  CHECK_THAT(text.output, Contains("    10 "));
  const Outcome few = folder.run(ridge("eval", "bare.csv", {"--test", "3"}));
  CHECK(few.status == 2);
  CHECK_THAT(few.errors, Contains("no network has as few as 3 rows to score") &&
                             Contains("score at least --test 5"));
  const Outcome one =
      folder.run(ridge("eval", "bare.csv", {"--drop", "depth", "--group", "width"}));
  CHECK(one.status == 2);
  CHECK_THAT(one.errors, Contains("no column of 'bare.csv' is left as a feature"));
}

TEST_CASE("columns that count rows, tell the time or are measured with the target are named") {
  const Folder folder("predictor_leaks");
  std::string text =
      ",when,decoder_layers,latency_std_decoder,latency_mean_encoder,"
      "latency_mean_decoder\n";
  core::Stream stream(3, "test.leaks");
  for (int i = 0; i < 40; ++i)
    text += std::to_string(i) + "," + std::to_string(1'700'000'000 + 7 * i) + "," +
            std::to_string(stream.below(6)) + "," + core::format_double(stream.uniform()) + "," +
            core::format_double(stream.uniform()) + "," + core::format_double(stream.uniform()) +
            "\n";
  folder.write("t.csv", text);
  const auto fit = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"predictor",   "fit",      "t.csv",
                                       "--predictor", "ridge",    "--out",
                                       "p.model",     "--target", "latency_mean_decoder"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = folder.run(arguments);
    INFO(outcome.errors);
    REQUIRE(outcome.status == 0);
    return outcome.errors;
  };
  const std::string told = fit({});
  CHECK_THAT(told, Contains("column '' counts the rows, and is a feature: --drop ''") &&
                       Contains("column 'when' tells when a row was measured, and is a feature: "
                                "--drop 'when'") &&
                       Contains("named like the target, and features: 'latency_std_decoder', "
                                "'latency_mean_encoder'. If they are measured with it"));
  CHECK(told.find("'decoder_layers'") == std::string::npos);
  const std::string clean = fit({"--drop", "", "--drop", "when", "--drop", "latency_*"});
  CHECK(clean.find("warning") == std::string::npos);
}

TEST_CASE("rows without a number are counted, and left out if wished") {
  const Folder folder("predictor_missing");
  std::istringstream lines(numbers_of(40, 2, "depth,width,ms"));
  std::string line;
  std::string text;
  for (int i = 0; std::getline(lines, line); ++i) {
    const auto comma = line.rfind(',');
    if (i == 7) line = line.substr(0, comma) + ",nan";
    if (i == 9) line = line.substr(0, comma) + ",";
    if (i == 11) line = "," + line.substr(line.find(',') + 1);
    if (i == 12) line = line.substr(0, comma) + ",1e400";
    text += line + "\n";
  }
  folder.write("t.csv", text);
  for (const char* predictor :
       {"ridge", "gp", "mlp(steps=50)", "boosted-trees(rounds=20)", "auto"}) {
    INFO(predictor);
    const std::vector<std::string> fit{"predictor",   "fit",     "t.csv", "--target", "ms",
                                       "--predictor", predictor, "--out", "p.model"};
    const Outcome refused = folder.run(fit);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors,
               Contains("t.csv:8: column 'ms' is 'nan', not a finite number (4 of 40 rows lack "
                        "one)") &&
                   Contains("leave these rows out: --skip-missing"));
    auto skip = fit;
    skip.push_back("--skip-missing");
    const Outcome outcome = folder.run(skip);
    CHECK(outcome.status == 0);
    CHECK_THAT(outcome.output, Contains("to 36 rows of 2 features"));
    CHECK_THAT(outcome.errors, Contains("4 of 40 rows left out: no number (first: t.csv:8: column "
                                        "'ms' is 'nan')"));
  }
  folder.write("u.csv", "depth,ms\n1,1.15 ms\n2,1.2 ms\n3,1.3 ms\n4,1.4 ms\n5,2 ms\n");
  const Outcome unit = folder.run(ridge("fit", "u.csv", {"--skip-missing"}));
  CHECK(unit.status == 1);
  CHECK_THAT(unit.errors, Contains("u.csv:2: column 'ms' is '1.15 ms'") &&
                              Contains("write 1.15, without the unit 'ms'"));
  folder.write("u.csv", "memory,ms\n1 MB,1\n2 MB,2\n3 MB,3\n4 MB,4\n5 MB,5\n");
  CHECK_THAT(folder.run(ridge("fit", "u.csv")).errors,
             Contains("u.csv:2: column 'memory' is '1 MB'"));
  folder.write("u.csv", "depth,ms\n1,a\n2,b\n");
  CHECK_THAT(folder.run(ridge("fit", "u.csv", {"--skip-missing"})).errors,
             Contains("u.csv:2: column 'ms' is 'a', and no row has all its numbers"));
  folder.write("u.csv", "depth,ms\n");
  CHECK_THAT(folder.run(ridge("fit", "u.csv")).errors,
             Contains("'u.csv' has no rows below its header"));
}

TEST_CASE("targets that are all equal, and one negative number among positive ones, are told") {
  const Folder folder("predictor_targets");
  folder.write("c.csv", "depth,ms\n1,2\n2,2\n3,2\n4,2\n5,2\n6,2\n");
  const Outcome constant = folder.run(ridge("fit", "c.csv"));
  CHECK(constant.status == 0);
  CHECK_THAT(constant.errors, Contains("the target 'ms' is 2 in every row"));
  folder.write("m.csv", "depth,ms\n1,2\n2,-1\n3,4\n4,5\n5,-1\n6,7\n7,3\n");
  const Outcome minus = folder.run(ridge("fit", "m.csv"));
  CHECK(minus.status == 0);
  CHECK_THAT(minus.errors, Contains("m.csv:3: target 'ms' is -1, in 2 of 7 rows, and positive in "
                                    "the others"));
  folder.write("d.csv", "depth,ms\n1,2\n4,-1\n3,4\n4,5\n5,-2\n6,7\n7,3\n");
  CHECK(folder.run(ridge("fit", "d.csv")).errors.find("warning") == std::string::npos);
}

TEST_CASE("a column named like a level of another is told apart from it") {
  const Folder folder("predictor_levels");
  folder.write("k.csv", "kind,kind=a,ms\na,1,2\nb,2,3.5\na,3,4\nb,4,5\na,5,6.2\nb,9,8\n");
  const Outcome both = folder.run(ridge("fit", "k.csv"));
  INFO(both.errors);
  REQUIRE(both.status == 0);
  CHECK_THAT(both.output, Contains("6 rows of 3 features"));
  const Outcome asked = folder.run({"predictor", "predict", "p.model", "k.csv"});
  INFO(asked.errors);
  REQUIRE(asked.status == 0);
  CHECK(core::parse_csv(asked.output, "p").rows.size() == 6);

  // The text alone: the same predictions, whatever the column of numbers holds.
  REQUIRE(folder.run(ridge("fit", "k.csv", {"--drop", "kind=a"})).status == 0);
  const Outcome with = folder.run({"predictor", "predict", "p.model", "k.csv"});
  INFO(with.errors);
  REQUIRE(with.status == 0);
  folder.write("text.csv", "kind\na\nb\na\nb\na\nb\n");
  CHECK(folder.run({"predictor", "predict", "p.model", "text.csv"}).output == with.output);

  // Fitted where there was no doubt, asked where there is.
  folder.write("plain.csv", "kind,ms\na,2\nb,3\na,4\nb,5\na,6\n");
  REQUIRE(folder.run(ridge("fit", "plain.csv")).status == 0);
  const Outcome doubt = folder.run({"predictor", "predict", "p.model", "k.csv"});
  CHECK(doubt.status == 1);
  CHECK_THAT(doubt.errors, Contains("'k.csv' has a column 'kind=a' and one whose value may be what "
                                    "the predictor calls so"));

  folder.write("b.csv", "ks[0],b,ms\n1,1,2\n2,3,3\n3,2,4\n4,1,5\n5,4,6\n");
  CHECK_THAT(folder.run(ridge("fit", "b.csv", {"--drop", "ks[0]"})).output,
             Contains("5 rows of 1 features"));
}

TEST_CASE("what tells the target is named by the column that can be dropped") {
  const Folder folder("predictor_tells");
  folder.write("t.csv", "kind,depth,ms\na,1,2\nb,3,5\na,2,2\nb,1,5\na,2,2\nb,3,5\na,1,2\n");
  const Outcome told = folder.run(ridge("fit", "t.csv"));
  CHECK_THAT(told.errors,
             Contains("column 'kind=b' all but tells the target (correlation 1.00000): "
                      "--drop 'kind' unless"));
  CHECK(folder.run(ridge("fit", "t.csv", {"--drop", "kind"})).status == 0);
}

TEST_CASE("an error in percent says of how many rows it is") {
  const Folder folder("predictor_zero");
  std::string text = "x,ms\n";
  for (int i = 1; i <= 40; ++i)
    text += std::to_string(i * 7 % 41) + "," + std::to_string(i % 2 == 0 ? 0 : i * 3) + "\n";
  folder.write("o.csv", text);
  const Outcome outcome = folder.run(ridge("eval", "o.csv", {"--test", "20"}));
  INFO(outcome.errors);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.output, Contains("MAPE is of ") &&
                                 Contains(" of 20 rows: a target of 0 has no percentage error"));
  const auto one =
      json::parse(folder.run(ridge("eval", "o.csv", {"--test", "20", "--json"})).output);
  CHECK(one["seeds"][0]["mape_records"] < 20);
  CHECK(one["seeds"][0]["records"] == 20);
}

TEST_CASE("a fit tells that it goes on, is stopped by the first signal, and writes nothing") {
  const Folder folder("predictor_interrupt");
  std::string header;
  for (int i = 0; i < 600; ++i) header += "f" + std::to_string(i) + ",";
  folder.write("wide.csv", numbers_of(300, 600, header + "ms"));
  const auto stopped = [&](const std::string& command, const std::string& predictor,
                           const std::vector<std::string>& more, const std::string& sign) {
    INFO(command << " " << predictor);
    std::vector<std::string> arguments{"predictor", command,       "wide.csv", "--target",
                                       "ms",        "--predictor", predictor};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::filesystem::remove(folder / "stderr.txt");
    const pid_t child = folder.start(arguments);
    for (int i = 0; i < 600 && slurp(folder / "stderr.txt").find(sign) == std::string::npos; ++i)
      usleep(50'000);
    kill(child, SIGTERM);
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = folder.finish(child);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    CHECK(took.count() < 10);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.errors, Contains(sign) && Contains("stopped by SIGTERM") &&
                                   Contains("nothing was written; the same command begins anew"));
    CHECK(outcome.output.empty());
    CHECK_FALSE(std::filesystem::exists(folder / "p.model"));
  };
  const std::string begun = " rows of 600 features";
  const std::vector<std::string> out{"--out", "p.model"};
  stopped("fit", "boosted-trees(members=50)", out, "still at work after ");
  stopped("fit", "mlp(steps=1000000)", out, begun);
  stopped("fit", "auto(folds=50)", out, begun);
  stopped("eval", "gp", {"--seeds", "500"}, begun);
}
