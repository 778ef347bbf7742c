/// Training of several networks at the same time. A small network leaves a GPU idle; many of them,
/// their layers grouped, fill it. The result of each is that of training it alone, up to rounding.
#pragma once

#include <span>

#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet {

/// Trainee of supernets of one space and one kind of router, on one device, which all train the
/// same architectures step by step (drawn from `seed`); `orders`: see Trainee. The supernets'
/// tensors become views of the trainee's: do not move them to another device while it is in use.
Trainee joint_supernets(std::span<Supernet* const> supernets, const TrainSettings& settings,
                        std::uint64_t seed, std::vector<std::int64_t> orders);

/// Trainee of extracted or fresh subnets of one space, each with its own architecture, on one
/// device.
Trainee joint_subnets(std::span<Subnet* const> subnets, std::vector<std::int64_t> orders);

}  // namespace mosaic::supernet
