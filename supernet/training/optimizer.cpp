#include "training/optimizer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "mosaic/core/error.hpp"

namespace mosaic::supernet {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

bool starts_with(const std::string& name, const std::string& prefix) {
  return name.rfind(prefix, 0) == 0;
}

bool is_joint(const std::string& name) { return starts_with(name, "joint."); }

/// Convolutions and linear layers decay; norms, biases and routers do not.
bool decays(const std::string& name, const at::Tensor& parameter) {
  const std::string own = is_joint(name) ? name.substr(6) : name;
  const std::int64_t leading = (is_joint(name) ? 1 : 0) + (starts_with(own, "bank.") ? 1 : 0);
  return !starts_with(own, "router.") && parameter.dim() - leading >= 2;
}

}  // namespace

Optimizer::Optimizer(const Trainee& trainee, const TrainSettings& settings)
    : networks_(trainee.orders.size()),
      adam_(settings.optimizer == "adamw"),
      momentum_(settings.momentum) {
  for (const auto& [name, parameter] : trainee.parameters) {
    Entry entry{name,
                parameter,
                decays(name, parameter) ? settings.weight_decay : 0.0,
                trainee.rates.empty() ? 1.0 : trainee.rates[entries_.size()],
                !trainee.slots.empty() && trainee.slots[entries_.size()] >= 0,
                at::zeros_like(parameter),
                {},
                {},
                {}};
    if (networks_ > 0)
      entry.rows.assign(trainee.rows[entries_.size()].begin(), trainee.rows[entries_.size()].end());
    if (adam_) {
      entry.second = at::zeros_like(parameter);
      entry.steps = at::zeros({}, parameter.options().dtype(at::kFloat));
    }
    entries_.push_back(std::move(entry));
  }
}

void Optimizer::inherit(const Optimizer& former, const Heritage& heritage) {
  at::NoGradGuard guard;
  std::map<std::string, const Entry*> by_name;
  for (const auto& entry : former.entries_) by_name[entry.name] = &entry;
  for (auto& entry : entries_) {
    const Origin& origin = heritage.at(entry.name);
    const auto take = [&](at::Tensor Entry::*state) {
      at::Tensor target = entry.*state;
      target.copy_(origin.take([&](const std::string& name) { return by_name.at(name)->*state; }));
    };
    take(&Entry::first);
    if (!adam_) continue;
    take(&Entry::second);
    entry.steps.copy_(by_name.at(origin.name)->steps);
  }
}

void Optimizer::clip(double largest) {
  at::NoGradGuard guard;
  std::vector<std::vector<at::Tensor>> of_networks(std::max<std::size_t>(1, networks_));
  for (const auto& entry : entries_) {
    const at::Tensor& gradient = entry.parameter.grad();
    if (!gradient.defined()) continue;
    if (!is_joint(entry.name)) {
      of_networks[networks_ > 0 ? entry.rows[0] : 0].push_back(gradient);
      continue;
    }
    const auto rows = gradient.unbind();
    for (std::size_t i = 0; i < rows.size(); ++i) of_networks[entry.rows[i]].push_back(rows[i]);
  }
  for (const auto& gradients : of_networks) {
    if (gradients.empty()) continue;
    const at::Tensor norm = at::stack(at::_foreach_norm(gradients)).norm();
    at::_foreach_mul_(gradients, at::clamp_max(largest / (norm + 1e-6), 1.0));
  }
}

void Optimizer::step(double learning_rate, const at::Tensor& trained) {
  at::NoGradGuard guard;
  std::vector<std::pair<at::Tensor, at::Tensor>> kept;  // tensors, and what they were
  if (trained.defined())
    for (const auto& entry : entries_)
      if (entry.experts && entry.parameter.grad().defined())
        for (const auto& tensor : {entry.parameter, entry.first, entry.second})
          if (tensor.defined()) kept.emplace_back(tensor, tensor.clone());
  // The kernels take one weight decay and one rate for all tensors of a call.
  std::map<std::pair<double, double>, std::vector<Entry*>> by_call;
  for (auto& entry : entries_)
    if (entry.parameter.grad().defined())
      by_call[{entry.weight_decay, entry.rate}].push_back(&entry);
  for (const auto& [call, members] : by_call) {
    const double decay = call.first, rate = learning_rate * call.second;
    std::vector<at::Tensor> parameters, gradients, first, second, steps;
    for (const Entry* entry : members) {
      parameters.push_back(entry->parameter);
      gradients.push_back(entry->parameter.grad());
      if (adam_ || momentum_ > 0) first.push_back(entry->first);  // else the kernel wants none
      if (adam_) {
        second.push_back(entry->second);
        steps.push_back(entry->steps);
      }
    }
    if (adam_) {
      at::_foreach_add_(steps, 1);
      at::_fused_adamw_(parameters, gradients, first, second, {}, steps, rate, kBeta1, kBeta2,
                        decay, kEpsilon,
                        /*amsgrad=*/false, /*maximize=*/false);
    } else {
      at::_fused_sgd_(parameters, gradients, first, decay, momentum_, rate,
                      /*dampening=*/0.0,
                      /*nesterov=*/momentum_ > 0, /*maximize=*/false, /*is_first_step=*/false);
    }
  }
  for (auto& [tensor, former] : kept) {
    at::Tensor mask = trained;
    while (mask.dim() < tensor.dim()) mask = mask.unsqueeze(-1);
    tensor.copy_(at::where(mask > 0, tensor, former));
  }
}

void Optimizer::zero_grad() {
  for (auto& entry : entries_) entry.parameter.mutable_grad().reset();
}

std::map<std::string, at::Tensor> Optimizer::state() const {
  std::map<std::string, at::Tensor> result;
  for (const auto& entry : entries_) {
    result["momentum." + entry.name] = entry.first;
    if (!adam_) continue;
    result["square." + entry.name] = entry.second;
    result["steps." + entry.name] = entry.steps;
  }
  return result;
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& state) {
  at::NoGradGuard guard;
  for (auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != tensor.sizes())
      throw core::Error(
          "the checkpoint lacks the optimiser state '" + name + "'",
          "it was written with another optimizer: keep the setting, or start a new job");
    at::Tensor target = tensor;
    target.copy_(found->second);
  }
}

}  // namespace mosaic::supernet
