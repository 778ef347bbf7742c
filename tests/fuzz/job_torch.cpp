// A whole job file: read, or refused with a line.
#include "mosaic/jobs/job_file.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) { jobs::JobFile::from_text(bytes, "job.toml"); }
