/// The space of a job that lies in a database, and its networks as genotypes.
#pragma once

#include <vector>

#include "mosaic/db/database.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::jobs {

/// Builds the space that a job searched, from its stored job file. Loads the task's data only where
/// the shape of its examples is not one of the usual ones. Throws core::Error where the space
/// cannot be built or is another one by now.
spaces::Space space_of_job(const db::Job& job);

}  // namespace mosaic::jobs
