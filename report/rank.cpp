#include <nlohmann/json.hpp>

#include "mosaic/core/files.hpp"
#include "mosaic/report/report.hpp"
#include "page.hpp"

namespace mosaic::report {

std::string rank_page(const nlohmann::json& ranking) {
  auto data = ranking;
  for (auto& score : data["scores"]) score.erase("values");  // their means are shown
  // As text: a script cannot hold numbers of 64 bits.
  for (auto& seed : data["seeds"]) seed = seed.dump();
  return page({.title = "Mosaic ranking",
               .sections = "rank.html",
               .scripts = {"rank.js"},
               .instead = "<code>mosaic rank</code> prints the statistics as text."},
              data.at("job"), data);
}

void write_rank_page(const nlohmann::json& ranking, const std::string& path) {
  core::write_file_atomic(path, rank_page(ranking));
}

}  // namespace mosaic::report
