/// SGD and AdamW over LibTorch's fused kernels, with state that can be written to a checkpoint by
/// name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

class Optimizer {
 public:
  Optimizer(const Trainee& trainee, const TrainSettings& settings);

  /// Takes the state over from the optimiser of what `trainee` was before it changed; the heritage
  /// of each network.
  void inherit(const Optimizer& former, const std::vector<Heritage>& heritages);

  /// Scales the gradients so that each network's norm is at most `largest` (no wait for the
  /// device).
  void clip(double largest);
  /// One update of every parameter that has a gradient; the others keep weights and state. So do
  /// copies outside of the mask `trained` (Observer::trained), where there is one.
  void step(double learning_rate, const at::Tensor& trained = {});
  /// Drops the gradients, so that slots an architecture does not use are not touched.
  void zero_grad();

  /// State tensors by name ("momentum.bank.stem.conv.weight"); loading checks names and shapes
  /// (core::Error).
  std::map<std::string, at::Tensor> state() const;
  void load_state(const std::map<std::string, at::Tensor>& state);

 private:
  struct Entry {
    Parameter parameter;
    std::string label;
    double weight_decay;
    at::Tensor first;        ///< momentum, or Adam's first moment
    at::Tensor second = {};  ///< Adam's second moment
    at::Tensor steps = {};   ///< Adam's step count
  };
  std::vector<Entry> entries_;
  std::size_t networks_;  ///< trained side by side
  bool adam_;
  double momentum_, beta1_, beta2_;
};

}  // namespace mosaic::supernet
