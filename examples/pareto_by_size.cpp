// The library without the command line: searches NAS-Bench-201 cells for few parameters and many
// multiply-accumulates, and prints the front. Expect about ten lines, from a cell without
// convolutions to one of six 3x3 convolutions.
#include <cstdio>
#include <filesystem>

#include "mosaic/search/search.hpp"

int main() {
  using namespace mosaic;
  const auto space = spaces::Space::make("nasbench201");

  const std::string path = (std::filesystem::temp_directory_path() / "mosaic_example.db").string();
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
  db::Database database(path);
  db::Job job;
  job.name = "by-size";
  job.space = space.name();
  job.space_hash = space.hash();
  job.objectives = {{"params", false}, {"flops", true}};
  database.create_job(job);

  std::vector<search::SearchObjective> objectives;
  for (const auto& [metric, maximise] : job.objectives)
    objectives.push_back(
        {metric,
         maximise,
         std::make_shared<evaluators::Cached>(evaluators::graph_evaluator({metric}), database,
                                              job.id, space.hash()),
         {},
         {}});
  search::SearchSettings settings;
  settings.evaluations = 400;
  search::run_search(space, objectives, {}, settings, /*seed=*/1, database, job);

  for (const auto& network : database.front(job))
    std::printf("%10.0f parameters %12.0f multiply-accumulates  %s\n",
                network.metrics.at("params").value, network.metrics.at("flops").value,
                network.arch.c_str());
}
