// mosaic rank: how well a supernet's inherited scores rank networks.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/jobs/ranking.hpp"
#include "mosaic/report/report.hpp"
#include "rank.hpp"

namespace mosaic::cli {
namespace {

void setup(CLI::App& app) {
  auto options = std::make_shared<jobs::RankOptions>();
  auto json = std::make_shared<bool>(false);
  app.add_option("JOB", options->job_file, "job file (TOML) with a [rank] section")->required();
  app.add_option("--db", options->db, "results database; made where it does not exist")
      ->capture_default_str();
  app.add_option("--page", options->page,
                 "HTML page to write (default: rank.html beside the database)");
  app.add_option("--only", options->part,
                 "do one part: scores (supernets) or truth (networks alone)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, jobs::RankPart>{
          {"scores", jobs::RankPart::scores}, {"truth", jobs::RankPart::truth}}));
  app.add_flag("--json", *json, "print everything as JSON");
  app.footer(
      "Trains networks alone (or reads what they reach from a table), trains the supernet with\n"
      "several seeds, scores every network with inherited weights by accuracy and by "
      "cross-entropy,\n"
      "and says how well each ranks, beside parameter counts and FLOPs. Give the same command "
      "again\n"
      "after an interruption: it goes on.");
  app.callback([options, json] {
    const auto ranked = jobs::run_rank(*options);
    if (!ranked) {
      core::log_info("recorded in " + options->db + "; the same command without --only ranks");
      return;
    }
    const jobs::RankResult& result = *ranked;
    std::string page = options->page;
    if (page.empty())
      page = (std::filesystem::path(options->db).parent_path() / "rank.html").string();
    const auto ranking = to_json(result);
    report::write_rank_page(ranking, page);
    if (*json)
      std::cout << ranking.dump(1) << "\n";
    else
      std::cout << text_table(result);
    core::log_info("page: " + page);
  });
}

const core::Registered kEntry{
    commands(), "rank", "how well a supernet ranks: inherited scores against the truth", setup};

}  // namespace
}  // namespace mosaic::cli
