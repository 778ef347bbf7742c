/// The networks that a predictor learns from.
#pragma once

#include <cstddef>
#include <vector>

#include "mosaic/jobs/workplace.hpp"

namespace mosaic::jobs {

/// The smallest and the largest network, then random ones, all different; all of a space that has
/// no more than `count`.
std::vector<spaces::Genotype> sample_architectures(const Workplace& work, std::size_t count);

/// Whether so many samples are the whole space: then nothing is left to predict.
bool measures_all(const Workplace& work, std::size_t samples);

}  // namespace mosaic::jobs
