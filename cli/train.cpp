// mosaic train: the supernet of a job.
#include "command.hpp"
#include "job_output.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<jobs::RunOptions>();
  add_job_options(app, *options);
  app.callback([options] { show(jobs::run_job(*options, jobs::Goal::train), options->db); });
}

const core::Registered kEntry{commands(), "train", "train the supernet of a job", setup};

}  // namespace
}  // namespace mosaic::cli
