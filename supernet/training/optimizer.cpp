#include "training/optimizer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "mosaic/core/error.hpp"
#include "training/adam.hpp"
#include "training/checkpoint.hpp"

namespace mosaic::supernet {
namespace {

constexpr double kEpsilon = 1e-8;

}  // namespace

std::string average_name(const std::string& tensor) { return "average." + tensor; }

Optimizer::Optimizer(const Trainee& trainee, const TrainSettings& settings)
    : networks_(trainee.networks()),
      adam_(settings.optimizer != "sgd"),
      coupled_(settings.optimizer == "adam"),
      momentum_(settings.momentum),
      beta1_(settings.beta1),
      beta2_(settings.beta2),
      ema_(settings.ema) {
  for (const auto& parameter : trainee.parameters()) {
    Entry entry{parameter, parameter.label(networks_),
                parameter.decays ? settings.weight_decay : 0.0, at::zeros_like(parameter.value)};
    if (adam_) {
      entry.second = at::zeros_like(parameter.value);
      entry.steps = at::zeros({}, parameter.value.options().dtype(at::kFloat));
    }
    if (ema_ > 0) entry.average = parameter.value.detach().clone();
    entries_.push_back(std::move(entry));
  }
}

void Optimizer::inherit(const Optimizer& former, const std::vector<Heritage>& heritages) {
  at::NoGradGuard guard;
  // Where a network's tensor of a name is: the entry, and the row in it.
  std::map<std::pair<std::string, int>, std::pair<const Entry*, std::int64_t>> places;
  for (const auto& entry : former.entries_)
    for (std::size_t row = 0; row < entry.parameter.networks.size(); ++row)
      places[{entry.parameter.name, entry.parameter.networks[row]}] = {
          &entry, static_cast<std::int64_t>(row)};
  for (auto& entry : entries_) {
    const auto take = [&](at::Tensor Entry::*state) {
      for (std::size_t row = 0; row < entry.parameter.networks.size(); ++row) {
        const int network = entry.parameter.networks[row];
        const Origin& origin =
            heritages[static_cast<std::size_t>(network)].at(entry.parameter.name);
        const at::Tensor old = origin.take([&](const std::string& name) {
          const auto& [from, at] = places.at({name, network});
          return (from->*state)[at];
        });
        // Rows may be longer than a network's own tensor (networks with fewer copies than others).
        at::Tensor target = (entry.*state)[static_cast<std::int64_t>(row)];
        target.narrow(0, 0, old.size(0)).copy_(old);
      }
    };
    take(&Entry::first);
    if (ema_ > 0) take(&Entry::average);
    if (!adam_) continue;
    take(&Entry::second);
    const int network = entry.parameter.networks[0];
    const Origin& origin = heritages[static_cast<std::size_t>(network)].at(entry.parameter.name);
    entry.steps.copy_(places.at({origin.name, network}).first->steps);
  }
}

void Optimizer::clip(double largest) {
  at::NoGradGuard guard;
  std::vector<std::vector<at::Tensor>> of_networks(networks_);
  for (const auto& entry : entries_) {
    const at::Tensor& gradient = entry.parameter.value.grad();
    if (!gradient.defined()) continue;
    if (entry.parameter.networks.size() == 1) {
      of_networks[static_cast<std::size_t>(entry.parameter.networks[0])].push_back(gradient);
      continue;
    }
    const auto rows = gradient.unbind();
    for (std::size_t i = 0; i < rows.size(); ++i)
      of_networks[static_cast<std::size_t>(entry.parameter.networks[i])].push_back(rows[i]);
  }
  std::vector<at::Tensor> factors;
  for (const auto& gradients : of_networks) {
    if (gradients.empty()) {
      factors.emplace_back();
      continue;
    }
    const at::Tensor norm = at::stack(at::_foreach_norm(gradients)).norm();
    factors.push_back(at::clamp_max(largest / (norm + 1e-6), 1.0));
    if (!scales_later()) at::_foreach_mul_(gradients, factors.back());
  }
  if (!scales_later()) return;
  for (auto& factor : factors)
    if (!factor.defined()) factor = at::ones({}, entries_[0].parameter.value.options());
  factors_ = at::stack(factors);
}

bool Optimizer::scales_later() const {
  return adam_ && !entries_.empty() && entries_[0].parameter.value.is_cuda();
}

void Optimizer::step(double learning_rate, const at::Tensor& trained) {
  at::NoGradGuard guard;
  std::vector<std::pair<at::Tensor, at::Tensor>> kept;  // tensors, and what they were
  if (trained.defined())
    for (const auto& entry : entries_)
      if (entry.parameter.slot >= 0 && entry.parameter.value.grad().defined())
        for (const auto& tensor : {entry.parameter.value, entry.first, entry.second})
          if (tensor.defined()) kept.emplace_back(tensor, tensor.clone());
  if (adam_)
    step_adam(learning_rate);
  else
    step_sgd(learning_rate);
  for (auto& [tensor, former] : kept) {
    at::Tensor mask = trained;
    while (mask.dim() < tensor.dim()) mask = mask.unsqueeze(-1);
    tensor.copy_(at::where(mask > 0, tensor, former));
  }
}

void Optimizer::step_adam(double learning_rate) {
  std::vector<AdamTensor> tensors;
  for (const auto& entry : entries_) {
    const auto& [parameter, label, decay, first, second, steps, average] = entry;
    if (const at::Tensor& gradient = parameter.value.grad(); gradient.defined())
      tensors.push_back({parameter.value, gradient, first, second, steps,
                         learning_rate * parameter.rate, decay, parameter.networks});
  }
  adam_step(tensors, {beta1_, beta2_, kEpsilon, coupled_}, factors_);
  factors_ = at::Tensor();
}

void Optimizer::step_sgd(double learning_rate) {
  // The kernels take one weight decay and one rate for all tensors of a call.
  std::map<std::pair<double, double>, std::vector<Entry*>> by_call;
  for (auto& entry : entries_)
    if (entry.parameter.value.grad().defined())
      by_call[{entry.weight_decay, entry.parameter.rate}].push_back(&entry);
  for (const auto& [call, members] : by_call) {
    std::vector<at::Tensor> parameters, gradients, first;
    for (const Entry* entry : members) {
      parameters.push_back(entry->parameter.value);
      gradients.push_back(entry->parameter.value.grad());
      if (momentum_ > 0) first.push_back(entry->first);  // else the kernel wants none
    }
    at::_fused_sgd_(parameters, gradients, first, call.first, momentum_,
                    learning_rate * call.second, /*dampening=*/0.0, /*nesterov=*/momentum_ > 0,
                    /*maximize=*/false, /*is_first_step=*/false);
  }
}

void Optimizer::average(std::int64_t step) {
  if (ema_ == 0) return;
  at::NoGradGuard guard;
  const auto before = static_cast<double>(step);
  const double decay = std::min(ema_, (1 + before) / (10 + before));
  std::vector<at::Tensor> averages, weights;
  for (const auto& entry : entries_) {
    averages.push_back(entry.average);
    weights.push_back(entry.parameter.value);
  }
  at::_foreach_lerp_(averages, weights, 1 - decay);
}

void Optimizer::take_average() {
  if (ema_ == 0) return;
  at::NoGradGuard guard;
  for (auto& entry : entries_) entry.parameter.value.copy_(entry.average);
}

void Optimizer::zero_grad() {
  for (auto& entry : entries_) entry.parameter.value.mutable_grad().reset();
}

std::map<std::string, at::Tensor> Optimizer::state() const {
  std::map<std::string, at::Tensor> result;
  for (const auto& entry : entries_) {
    result["momentum." + entry.label] = entry.first;
    if (ema_ > 0) result[average_name(entry.label)] = entry.average;
    if (!adam_) continue;
    result["square." + entry.label] = entry.second;
    result["steps." + entry.label] = entry.steps;
  }
  return result;
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& state) {
  at::NoGradGuard guard;
  for (auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (found == state.end() || !copy_stored(found->second, tensor))
      throw core::Error(
          "the checkpoint lacks the optimiser state '" + name + "'",
          "it was written with another optimizer: keep the setting, or start a new job");
  }
}

}  // namespace mosaic::supernet
