// `mosaic predictor fit|predict|eval` as a user meets them: tables in, files and scores out.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/random.hpp"
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
  const Outcome names = fit({"--target", "latency_encoder"});
  CHECK(names.status == 1);
  CHECK_THAT(names.errors,
             Contains("column 'arch' of 't.csv' holds text of 60 kinds, too many for a feature") &&
                 Contains("leave it out with --drop 'arch'"));
  const Outcome nothing = fit({"--target", "latency_encoder", "--drop", "sdt_*"});
  CHECK(nothing.status == 2);
  CHECK_THAT(nothing.errors, Contains("--drop 'sdt_*' matches no column of 't.csv'"));
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
