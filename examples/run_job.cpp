// A job without the program: runs a job file, prints its front and writes its page, from a project
// of your own.
//
//   find_package(Mosaic 0.1 REQUIRED)
//   add_executable(run_job run_job.cpp)
//   target_link_libraries(run_job PRIVATE Mosaic::mosaic)
//
//   run_job examples/table.toml results.db      goes on where it stood if it was stopped
#include <cstdio>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/jobs/pipeline.hpp"
#include "mosaic/report/report.hpp"

int main(int argc, char** argv) {
  using namespace mosaic;
  if (argc != 3) {
    std::fprintf(stderr, "usage: run_job JOB.toml RESULTS.db\n");
    return 2;
  }
  core::install_interrupt_handler();  // Ctrl-C stops the job where it can go on
  try {
    const auto run = jobs::run_job({argv[1], argv[2]}, jobs::Goal::search);
    const db::Reader results(argv[2]);
    for (const auto& network : results.front(run.job)) {
      for (const auto& objective : run.job.objectives)
        std::printf("%s %g  ", objective.metric.c_str(),
                    network.metrics.at(objective.metric).value);
      std::printf("%s\n", network.arch.c_str());
    }
    report::write_job_page(results, run.job, {}, report::job_page_path(run.job.name, argv[2]));
    return 0;
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n%s\n", error.message().c_str(), error.advice().c_str());
    return 1;
  }
}
