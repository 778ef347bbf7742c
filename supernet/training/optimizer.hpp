/// SGD over LibTorch's fused kernel, AdamW and Adam (adam.hpp), and the moving average of what they
/// train, with state that can be written to a checkpoint by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mosaic/supernet/training/trainee.hpp"

namespace mosaic::supernet {

/// What the average of a tensor is called in checkpoints.
std::string average_name(const std::string& tensor);

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
  /// Takes the weights into their average, after step `step` (from 0); all of them, also those that
  /// the step did not train.
  void average(std::int64_t step);
  /// Makes the averages the weights. Both do nothing where none are kept.
  void take_average();
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
    at::Tensor first;         ///< momentum, or Adam's first moment
    at::Tensor second = {};   ///< Adam's second moment
    at::Tensor steps = {};    ///< Adam's step count
    at::Tensor average = {};  ///< of the weights
  };
  void step_adam(double learning_rate);
  void step_sgd(double learning_rate);
  /// Does the step multiply the gradients by what clip() found?
  bool scales_later() const;

  std::vector<Entry> entries_;
  at::Tensor factors_;    ///< [networks], of the next step; undefined: 1
  std::size_t networks_;  ///< trained side by side
  bool adam_;
  bool coupled_;  ///< Adam: does decay go through its moments?
  double momentum_, beta1_, beta2_, ema_;
};

}  // namespace mosaic::supernet
