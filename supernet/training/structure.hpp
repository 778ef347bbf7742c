/// Supernets that change their structure while they are trained: growth of single slots, splits of
/// the whole space.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/supernet/training/sampler.hpp"
#include "mosaic/supernet/training/splitter.hpp"
#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet {

/// The pass of a trainee that trains this architecture.
using PassOf = std::function<Pass(const spaces::Genotype&)>;

PassOf pass_of(Supernet& supernet);

/// The slot that a parameter "bank.<name>" holds; -1: a router's parameter.
int slot_of(const spaces::SuperGraph& graph, const std::string& parameter);

/// Where the members' routers draw experts: passes that draw, the mask of what they drew, and an
/// observation on a validation batch after every step. Does nothing for other routers.
void add_draws(Trainee& trainee, std::span<Supernet* const> members,
               std::shared_ptr<Sampler> sampler, const PassOf& pass_of, std::uint64_t seed);

/// Where the sampler learns from training: what it needs to see, and its state. Does nothing for
/// other samplers.
void add_learning(Trainee& trainee, const spaces::Space& space, std::shared_ptr<Sampler> sampler);

bool changes_structure(const Supernet& supernet);
/// When, and at what cost; without the functions.
Turns turns_of(const Supernet& supernet, const TrainSettings& settings);

/// The next RouterSettings::split of each of the supernets behind `trainee`.
std::vector<std::string> choose_structures(std::span<Supernet* const> members,
                                           const Trainee& trainee, const PassOf& pass_of,
                                           const Turn& turn);

/// choose_split() for each of the supernets behind `trainee`.
std::vector<Split> choose_splits(std::span<Supernet* const> members, const Trainee& trainee,
                                 const PassOf& pass_of, const tasks::Task& task,
                                 const TrainSettings& train, const SplitSettings& settings);
/// Image passes that it costs a network.
double images_of_split(const spaces::Space& space, const SplitSettings& settings);

/// The grown structures (growth.cpp) of the supernets behind `trainee`.
std::vector<std::string> choose_growth(std::span<Supernet* const> members, const Trainee& trainee,
                                       const PassOf& pass_of, const Turn& turn);
double images_of_growth(const Supernet& supernet, const TrainSettings& settings);

}  // namespace mosaic::supernet
