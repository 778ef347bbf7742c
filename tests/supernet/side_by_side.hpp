/// Networks that are trained as one, against each alone.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet::test {

/// Supernets that are trained side by side.
struct Two {
  Supernet a, b;
  std::vector<Supernet*> members{&a, &b};
  explicit Two(const spaces::Space& space,
               const SharingSettings& sharing = {.kind = "layer-wise", .copies = 2, .hidden = 8})
      : a(space, sharing, 1), b(space, sharing, 2) {}
};

/// Trains two of them unbroken, and two that are cut off after a few steps and go on from their
/// checkpoint, `name`: they must end alike, bit for bit.
inline void require_exact_resume(const spaces::Space& space, const tasks::Task& task,
                                 TrainSettings settings, const std::string& name) {
  settings.checkpoint_minutes = 0;  // after every step
  const auto path = std::filesystem::temp_directory_path() / ("mosaic_" + name + ".safetensors");
  std::filesystem::remove(path);
  TrainHooks hooks;
  hooks.identity = name;
  Two whole(space), first(space), second(space);
  train(*supernet_trainee(whole.members, settings, 7, {0, 1}), task, settings, hooks);
  hooks.checkpoint = path.string();
  hooks.report = [&](const TrainProgress& progress) {
    if (progress.step == 5) throw std::runtime_error("as if killed");
  };
  REQUIRE_THROWS(
      train(*supernet_trainee(first.members, settings, 7, {0, 1}), task, settings, hooks));
  hooks.report = nullptr;
  train(*supernet_trainee(second.members, settings, 7, {0, 1}), task, settings, hooks);
  const auto expected = whole.b.parameters(), found = second.b.parameters();
  for (std::size_t i = 0; i < expected.size(); ++i)
    REQUIRE(at::equal(found[i].second, expected[i].second));
  std::filesystem::remove(path);
}

inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm().clamp_min(0.01)).item<double>();
}

/// Largest relative difference of two lists of tensors by name.
inline double largest_difference(const NamedTensors& a, const NamedTensors& b) {
  double largest = 0;
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].first == b[i].first);
    largest = std::max(largest, difference(a[i].second.detach(), b[i].second.detach()));
  }
  return largest;
}

inline NamedTensors named(const Subnet& subnet) {
  return {subnet.weights().begin(), subnet.weights().end()};
}

/// Trains subnets of all architectures at once and each alone, on a task that lies on the device;
/// the largest relative difference of a weight.
inline double joint_against_alone(const spaces::Space& space,
                                  const std::vector<spaces::Genotype>& genotypes,
                                  const tasks::Task& task, const TrainSettings& settings,
                                  const std::string& device = "cpu") {
  std::vector<Subnet> together, alone;
  std::vector<Subnet*> members;
  std::vector<std::int64_t> orders;
  for (std::size_t i = 0; i < genotypes.size(); ++i)
    for (auto* list : {&together, &alone}) {
      list->push_back(fresh_subnet(space, genotypes[i], i));
      list->back().to(device);
    }
  for (auto& subnet : together) {
    members.push_back(&subnet);
    orders.push_back(0);
  }
  train(*subnet_trainee(members, orders), task, settings, {});
  double largest = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    train(*subnet_trainee(alone[i]), task, settings, {});
    largest = std::max(largest, largest_difference(named(together[i]), named(alone[i])));
  }
  return largest;
}

}  // namespace mosaic::supernet::test
