#include "job_output.hpp"

#include <iostream>

#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/selection.hpp"
#include "mosaic/report/report.hpp"
#include "output.hpp"

namespace mosaic::cli {

void add_job_options(App& app, jobs::RunOptions& options) {
  app.add_option("JOB", options.job_file,
                 "job file (TOML); examples/ has some with every key explained")
      ->required();
  app.add_option("--db", options.db, "results database; made where it does not exist")
      ->capture_default_str();
  add_set_option(app, options.set);
}

void show_plan(const std::vector<jobs::PlanLine>& plan) {
  std::size_t width = 0;
  for (const auto& line : plan) width = std::max(width, line.part.size());
  for (const auto& [part, text] : plan)
    std::cout << part << std::string(width + 2 - part.size(), ' ') << core::printable(text) << "\n";
  std::cout << "nothing was written\n";
}

void show_front(const db::Job& job, const std::string& db) {
  const db::Reader reader(db);
  const db::Snapshot snapshot(reader);
  const auto front = reader.front(job);
  if (front.empty()) throw jobs::empty_front(reader, job);
  print_networks(front, job, {}, false);
  jobs::comment_on(reader, job, front);
}

void write_page(const db::Reader& reader, const db::Job& job, const std::string& path) {
  report::write_job_page(reader, job, jobs::remarks(reader, job, reader.front(job)), path);
}

void show(const jobs::JobRun& run, const std::string& db, const std::string& report) {
  if (!run.found_front) return;
  if (run.goal == jobs::Goal::run) {
    const auto path = report.empty() ? report::job_page_path(run.job.name, db) : report;
    const db::Reader reader(db);
    const db::Snapshot snapshot(reader);
    write_page(reader, reader.job(run.job.name), path);
    core::log_info("report: " + path);
  }
  show_front(run.job, db);
}

}  // namespace mosaic::cli
