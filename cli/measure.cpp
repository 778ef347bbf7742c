// mosaic measure: latencies of a job's samples, or of given networks.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<jobs::RunOptions>();
  auto lists = std::make_shared<std::pair<std::string, std::string>>();
  add_job_options(app, *options);
  auto archs = app.add_option("--archs", lists->first,
                              "file with an architecture a line: measure just these");
  auto out =
      app.add_option("--out", lists->second,
                     "CSV file for --archs: arch, latency_ms, standard_error, note, reference_ms");
  auto resume = std::make_shared<bool>(false);
  app.add_flag("--resume", *resume, "keep the rows that --out has and measure the others")
      ->needs(out);
  archs->needs(out);
  out->needs(archs);
  app.footer(
      "Without --archs it measures the job's latency samples into the database and fits the "
      "predictor.");
  app.callback([options, lists, resume] {
    if (lists->first.empty())
      show(jobs::run_job(*options, jobs::Goal::measure), options->db);
    else
      jobs::measure_list(*options, lists->first, lists->second, *resume);
  });
}

const core::Registered kEntry{commands(), "measure", "measure latencies on this device", setup};

}  // namespace
}  // namespace mosaic::cli
