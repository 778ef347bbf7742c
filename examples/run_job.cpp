// A job without the program: runs a job file and prints its front, from a project of your own.
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

int main(int argc, char** argv) {
  using namespace mosaic;
  if (argc != 3) {
    std::fprintf(stderr, "usage: run_job JOB.toml RESULTS.db\n");
    return 2;
  }
  core::install_interrupt_handler();  // Ctrl-C stops the job where it can go on
  try {
    const auto run = jobs::run_job({argv[1], argv[2]}, jobs::Goal::search);
    for (const auto& network : db::Reader(argv[2]).front(run.job)) {
      for (const auto& objective : run.job.objectives)
        std::printf("%s %g  ", objective.metric.c_str(),
                    network.metrics.at(objective.metric).value);
      std::printf("%s\n", network.arch.c_str());
    }
    return 0;
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n%s\n", error.message().c_str(), error.advice().c_str());
    return 1;
  }
}
