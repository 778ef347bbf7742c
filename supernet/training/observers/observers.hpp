/// The observers that the training of supernets may need, each in a file of its own. A maker
/// returns null where it has nothing to do.
#pragma once

#include <memory>
#include <span>

#include "mosaic/supernet/training/sampler.hpp"
#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

/// Where the members' way of sharing draws copies (balanced): draws before each pass, the mask of
/// what was drawn, and an observation on a validation batch after every step.
std::unique_ptr<Observer> make_draws(std::span<Supernet* const> members, const Sampler& sampler,
                                     std::uint64_t seed);

/// Where the sampler learns from training: shows it the gradients and errors.
std::unique_ptr<Observer> make_learning(const spaces::Space& space,
                                        std::shared_ptr<Sampler> sampler);

/// Where sharing changes during training: growth of single slots, splits of the whole space.
std::unique_ptr<Observer> make_restructuring(std::span<Supernet* const> members,
                                             const TrainSettings& settings);

}  // namespace mosaic::supernet
