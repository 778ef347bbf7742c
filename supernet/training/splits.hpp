/// Splits of several supernets that train side by side.
#pragma once

#include <span>
#include <vector>

#include "mosaic/supernet/training/splitter.hpp"
#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

/// choose_split() for each of the supernets behind `trainee`.
std::vector<Split> choose_splits(std::span<Supernet* const> members, Trainee& trainee,
                                 const tasks::Task& task, const TrainSettings& train,
                                 const SplitSettings& settings);
/// Passes of an example that it costs a network.
double cost_of_split(const spaces::Space& space, const SplitSettings& settings);

}  // namespace mosaic::supernet
