// mosaic search: the search of a job.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<jobs::RunOptions>();
  add_job_options(app, *options);
  app.footer("Trains first, if the job has a supernet that is not trained yet.");
  app.callback([options] { show(jobs::run_job(*options, jobs::Goal::search), options->db); });
}

const core::Registered kEntry{commands(), "search",
                              "search of a job, with a trained supernet or none", setup};

}  // namespace
}  // namespace mosaic::cli
