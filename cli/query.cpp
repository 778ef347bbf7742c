// mosaic query: the database in SQL.
#include "command.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  struct Options {
    std::string db = "results.db";
    std::string sql;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--db", options->db, "results database")->capture_default_str();
  app.add_option("--sql,SQL", options->sql,
                 "one SELECT; docs/database.md describes tables and views")
      ->required();
  add_output_options(app, options->output);
  app.footer(
      "Example: mosaic query --db results.db \"SELECT * FROM results ORDER BY accuracy DESC LIMIT "
      "5\"\n"
      "Read-only: whatever would change the file is refused.");
  app.callback(
      [options] { print_table(db::Reader(options->db).query(options->sql), options->output); });
}

const core::Registered kEntry{commands(), "query", "ask the database in SQL", setup};

}  // namespace
}  // namespace mosaic::cli
