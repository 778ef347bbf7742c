// A database with an unfinished job of an earlier version.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "cli/program.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "sql.hpp"

using namespace mosaic;
using cli::test::Folder;
using cli::test::slurp;
using test::execute;

namespace {

std::string evaluated(const std::string& path) {
  std::string text;
  const auto table = db::Reader(path).query(
      "SELECT a.arch FROM evaluations e JOIN architectures a ON a.id = e.architecture "
      "ORDER BY e.number");
  for (const auto& row : table.rows) text += row[0].text + " ";
  return text;
}

}  // namespace

TEST_CASE("a search that an earlier version began goes on to the end that it would have had") {
  const Folder folder("former");
  const std::string data = std::string(std::getenv("MOSAIC_SOURCE_DIR")) + "/tests/jobs/data/";
  folder.write("t.csv", slurp(data + "unfinished.csv"));
  const std::string path = (folder / "former.db").string();
  execute(path, slurp(data + "unfinished.sql"));
  supernet::set_threads(1);  // as the job
  execute(path, "UPDATE jobs SET config_path = '" + (folder / "former.toml").string() +
                    "', device = '" + supernet::describe_device("cpu") + "'");
  { const db::Database brought_up_to_date(path); }
  const auto begun = evaluated(path);

  const auto run = jobs::resume_job(path, "former");
  CHECK(run.found_front);
  CHECK(run.job.status == "finished");
  const auto archs = evaluated(path);
  CHECK(archs.starts_with(begun));

  folder.write("whole.toml", run.job.config);
  const std::string other = (folder / "whole.db").string();
  jobs::run_job({(folder / "whole.toml").string(), other}, jobs::Goal::search);
  CHECK(evaluated(other) == archs);
  // The earlier version went on so.
  CHECK(
      archs ==
      "1-3-6 2-3-5 1-1-8 6-2-2 2-5-3 2-1-7 1-8-1 2-2-6 1-5-4 7-1-2 4-3-3 4-4-2 1-2-7 2-7-1 6-1-3 "
      "3-4-3 1-4-5 6-3-1 4-2-4 1-6-3 2-6-2 7-2-1 3-5-2 4-1-5 5-3-2 3-3-4 5-2-3 4-5-1 5-1-4 3-2-5 ");
}
