/// The options that `best` and `extract` share.
#pragma once

#include "command.hpp"
#include "mosaic/jobs/selection.hpp"

namespace mosaic::cli {

using jobs::remarks;  // of the report

void add_selection_options(App& app, jobs::Selection& selection);

}  // namespace mosaic::cli
