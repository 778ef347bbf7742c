// mosaic remeasure: timings that were taken while the device was slow.
#include "command.hpp"
#include "job_output.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<DatabaseOptions>();
  add_database_options(app, *options);
  app.footer(
      "Timings that were taken while the device was slower than at its best are marked so when "
      "they "
      "are\n"
      "stored. This measures just those again, on the device of the job, and prints the front as "
      "it "
      "is then.");
  app.callback([options] {
    const auto found = jobs::remeasure_job(options->db, options->job_name());
    show_front(found.job, options->db);
    if (found.left > 0 && found.left == found.suspects)
      throw core::Error("the device is still slow: all " + std::to_string(found.suspects) +
                            " timings were taken again, and are marked again",
                        "see what else runs here, and give the same command when it is done");
  });
}

const core::Registered kEntry{commands(), "remeasure",
                              "measure again what was timed while the device was slow", setup};

}  // namespace
}  // namespace mosaic::cli
