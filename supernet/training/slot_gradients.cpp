#include "training/slot_gradients.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "training/gradient.hpp"

namespace mosaic::supernet {

SlotGradients::SlotGradients(std::span<Supernet* const> members, Trainee& trainee,
                             const tasks::Task& task, const TrainSettings& settings)
    : members_(members),
      trainee_(trainee),
      gradients_(std::make_unique<Gradients>(trainee, task,
                                             gradient_settings(settings, trainee.device()))) {}
SlotGradients::~SlotGradients() = default;

std::vector<at::Tensor> SlotGradients::operator()(const spaces::Genotype& genotype,
                                                  const tasks::Batch& batch) {
  at::NoGradGuard guard;
  const PassResult pass = [&] {
    const at::AutoGradMode with_gradient(true);
    return gradients_->run(genotype, batch, 1, {}, false);
  }();
  const auto count = static_cast<std::int64_t>(members_.size());
  std::vector<at::Tensor> result(members_[0]->space().graph().slots.size());
  for (std::size_t i = 0; i < pass.gradients.size(); ++i) {
    const auto& parameter = trainee_.parameters()[i];
    const at::Tensor& gradient = pass.gradients[i];
    if (parameter.slot < 0 || !gradient.defined()) continue;
    // Each copy has its share of the merged weight's gradient: together they have all of it.
    const at::Tensor rows = gradient.sum(1).flatten(1);
    at::Tensor& target = result[static_cast<std::size_t>(parameter.slot)];
    if (!target.defined()) target = at::zeros({count, rows.size(1)}, rows.options());
    for (std::size_t row = 0; row < parameter.networks.size(); ++row)
      target[parameter.networks[row]] += rows[static_cast<std::int64_t>(row)];
  }
  // The share of an even mixture is scaled up in training (mixed_weights); not here.
  for (std::int64_t member = 0; member < count; ++member) {
    const Mixes mixes = members_[static_cast<std::size_t>(member)]->mixes(genotype);
    std::vector<at::Tensor> shares;  // of each mix: one, or one a neuron
    for (const auto& mix : mixes.mixes) shares.push_back(mix.square().sum(-1));
    for (std::size_t slot = 0; slot < result.size(); ++slot) {
      if (!result[slot].defined() || mixes.of_slot[slot] < 0) continue;
      const at::Tensor& share = shares[static_cast<std::size_t>(mixes.of_slot[slot])];
      at::Tensor row = result[slot][member];
      if (share.dim() == 0)
        row *= share;
      else
        row.view({share.size(0), -1}) *= share.unsqueeze(1);
    }
  }
  return result;
}

}  // namespace mosaic::supernet
