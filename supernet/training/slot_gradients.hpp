/// What single architectures would do to shared weights: gradients with respect to slots.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

class Gradients;

class SlotGradients {
 public:
  SlotGradients(std::span<Supernet* const> members, Trainee& trainee, const tasks::Task& task,
                const TrainSettings& settings);
  ~SlotGradients();

  /// Gradients of the loss of each member on a batch with respect to the weights that it computes
  /// this architecture with (merged, if they are mixed), by slot: float32 [members, entries of the
  /// full slot], 0 outside of the slice; undefined where the architecture lacks the slot. The loss
  /// is that of training without a teacher.
  std::vector<at::Tensor> operator()(const spaces::Genotype& genotype, const tasks::Batch& batch);

 private:
  std::span<Supernet* const> members_;
  const Trainee& trainee_;
  std::unique_ptr<Gradients> gradients_;
};

}  // namespace mosaic::supernet
