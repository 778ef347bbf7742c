// mosaic rank: how well a supernet's inherited scores rank networks.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "job_output.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/jobs/ranking.hpp"
#include "mosaic/report/report.hpp"
#include "rank.hpp"

namespace mosaic::cli {

void show_ranking(const jobs::RankResult& result, const std::string& db, const std::string& given,
                  bool json) {
  const auto page =
      given.empty() ? (std::filesystem::path(db).parent_path() / "rank.html").string() : given;
  const auto ranking = to_json(result);
  report::write_rank_page(ranking, page);
  if (json)
    std::cout << ranking.dump(1) << "\n";
  else
    std::cout << text_table(result);
  core::log_info("page: " + page);
}

namespace {

void setup(App& app) {
  auto options = std::make_shared<jobs::RankOptions>();
  auto json = std::make_shared<bool>(false);
  auto part = std::make_shared<std::string>();
  auto dry = std::make_shared<bool>(false);
  app.add_option("JOB", options->job_file, "job file (TOML) with a [rank] section")->required();
  app.add_option("--db", options->db, "results database; made where it does not exist")
      ->capture_default_str();
  add_set_option(app, options->set);
  app.add_flag("--dry-run", *dry,
               "check the job and say what it will do and cost; nothing is written");
  app.add_option("--page", options->page,
                 "HTML page to write (default: rank.html beside the database)");
  app.add_option("--only", *part, "do one part: scores (supernets) or truth (networks alone)")
      ->check(one_of({"scores", "truth"}));
  app.add_flag("--json", *json, "print everything as JSON");
  app.footer(
      "Trains networks alone (or reads what they reach from a table), trains the supernet with\n"
      "several seeds, scores every network with inherited weights by accuracy and by "
      "cross-entropy,\n"
      "and says how well each ranks, beside parameter counts and FLOPs. Give the same command "
      "again\n"
      "after an interruption, or 'mosaic resume': it goes on.");
  app.callback([options, json, part, dry] {
    if (!part->empty())
      options->part = *part == "scores" ? jobs::RankPart::scores : jobs::RankPart::truth;
    if (*dry) return show_plan(jobs::plan_rank(*options));
    const auto ranked = jobs::run_rank(*options);
    if (!ranked) {
      core::log_info("recorded in " + options->db + "; the same command without --only ranks");
      return;
    }
    show_ranking(*ranked, options->db, options->page, *json);
  });
}

const core::Registered kEntry{
    commands(), "rank", "how well a supernet ranks: inherited scores against the truth", setup};

}  // namespace
}  // namespace mosaic::cli
