// Training with samplers that learn from it.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "training/structure.hpp"

namespace mosaic::supernet {
namespace {

/// Norm of the step's gradient in each slot, over all members and experts.
std::vector<double> slot_norms(const std::vector<int>& slot_of, const NamedTensors& parameters,
                               std::size_t slots) {
  std::vector<at::Tensor> gradients;
  std::vector<std::size_t> of;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (slot_of[i] < 0 || !parameters[i].second.grad().defined()) continue;
    gradients.push_back(parameters[i].second.grad());
    of.push_back(static_cast<std::size_t>(slot_of[i]));
  }
  std::vector<double> squares(slots, 0.0);
  if (gradients.empty()) return squares;
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients)).to(at::kDouble).cpu();
  for (std::size_t i = 0; i < of.size(); ++i) {
    const double norm = norms[static_cast<std::int64_t>(i)].item<double>();
    squares[of[i]] += norm * norm;
  }
  for (double& value : squares) value = std::sqrt(value);
  return squares;
}

}  // namespace

void add_learning(Trainee& trainee, const spaces::Space& space, std::shared_ptr<Sampler> sampler) {
  if (!sampler->learns()) return;
  const auto drawn = std::make_shared<std::vector<spaces::Genotype>>();
  // The passes know their architectures by text.
  trainee.passes = [passes = trainee.passes, drawn, &space](std::int64_t step) {
    auto result = passes(step);
    drawn->clear();
    for (const auto& pass : result) drawn->push_back(space.parse(pass.key));
    return result;
  };
  trainee.state = [former = trainee.state, sampler](const tasks::Task& task) {
    auto result = former ? former(task) : NamedTensors{};
    for (const auto& [name, tensor] : sampler->begin(task.size(tasks::Split::train)))
      result.emplace_back("sampler." + name, tensor);
    return result;
  };
  trainee.examples = [sampler](std::int64_t epoch, std::int64_t order) {
    return sampler->examples(epoch, order);
  };
  const auto orders = trainee.orders.empty() ? std::vector<std::int64_t>{0} : trainee.orders;
  trainee.look = [sampler, drawn, &space, orders,
                  slots = trainee.slots](const StepFindings& found) {
    at::NoGradGuard guard;
    const auto norms = slot_norms(slots, found.parameters, space.graph().slots.size());
    for (const auto& genotype : *drawn) sampler->observe(genotype, norms);
    const Turn& now = found.now;
    const at::Tensor errors = found.errors.detach().cpu().view({-1, now.batch_size});
    for (std::size_t i = 0; i < orders.size(); ++i) {
      const at::Tensor all = sampler->examples(now.step / now.per_epoch, orders[i]);
      if (!all.defined()) continue;
      sampler->observe(all.narrow(0, now.step % now.per_epoch * now.batch_size, now.batch_size),
                       errors[static_cast<std::int64_t>(i)]);
    }
    if ((now.step + 1) % now.per_epoch == 0)
      sampler->end_epoch(static_cast<double>(now.step + 1) / static_cast<double>(now.steps));
  };
}

}  // namespace mosaic::supernet
