// mosaic jobs: the jobs of a database.
#include <iostream>

#include "command.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/manage.hpp"
#include "output.hpp"

namespace mosaic::cli {
namespace {

void list(const std::string& db, const OutputOptions& output) {
  const db::Reader reader(db);
  db::Table table;
  table.columns = {"job",         "status", "phase",   "space",  "task",
                   "evaluations", "device", "created", "message"};
  for (const auto& recorded : reader.jobs()) {
    const auto job = jobs::as_it_stands(reader, recorded);
    table.rows.push_back({text_cell(job.name), text_cell(job.status), text_cell(job.phase),
                          text_cell(job.space), text_cell(job.task),
                          number_cell(static_cast<double>(reader.evaluation_count(job.id)), "%.0f"),
                          text_cell(job.device), text_cell(job.created), text_cell(job.message)});
  }
  print_table(table, output);
}

void remove(const std::string& db, const std::string& name, bool with_files) {
  const auto deleted = jobs::delete_job(db, name, with_files);
  std::cout << "job '" << core::printable(name) << "' is deleted from " << db << "\n";
  if (deleted.files.empty()) return;
  const auto files = std::to_string(deleted.files.size()) +
                     (deleted.files.size() == 1 ? " file of it (" : " files of it (") +
                     core::human_bytes(deleted.bytes) + ")";
  const auto folder = core::printable(deleted.folder);
  if (deleted.removed) {
    std::cout << files << " deleted:\n";
    for (const auto& file : deleted.files) std::cout << "  " << core::printable(file) << "\n";
  } else if (deleted.shared.empty()) {
    std::cout << files << " left in " << folder << "; --with-files would have deleted them\n";
  } else {
    std::cout << files << " left in " << folder << ": " << core::printable(deleted.shared) << "\n"
              << "where nothing else needs them: rm -r " << core::quoted(folder) << "\n";
  }
}

void setup(App& app) {
  struct Options {
    std::string db = "results.db";
    OutputOptions output;
    std::string removed;
    bool with_files = false;
    std::vector<std::string> names;
  };
  auto options = std::make_shared<Options>();
  app.add_option("--db", options->db, "results database")->capture_default_str();
  add_output_options(app, options->output);
  auto removed =
      app.add_option("--delete", options->removed, "delete a job with all that is recorded of it");
  app.add_flag("--with-files", options->with_files,
               "with --delete: its files too (weights, predictors), where they are its alone")
      ->needs(removed);
  app.add_option("--rename", options->names, "OLD NEW: give a job another name")
      ->expected(2, 2)
      ->excludes(removed);
  app.footer(
      "Neither is possible while a job of the database runs. Example: mosaic jobs --rename first "
      "second");
  app.callback([options] {
    if (!options->names.empty()) {
      jobs::rename_job(options->db, options->names[0], options->names[1]);
      std::cout << "job '" << core::printable(options->names[0]) << "' is called '"
                << core::printable(options->names[1]) << "' now\n";
    } else if (!options->removed.empty()) {
      remove(options->db, options->removed, options->with_files);
    } else {
      list(options->db, options->output);
    }
  });
}

const core::Registered kEntry{commands(), "jobs", "list, rename and delete the jobs of a database",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
