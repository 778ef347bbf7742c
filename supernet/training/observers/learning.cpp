// Training with samplers that learn from it.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "training/observers/observers.hpp"

namespace mosaic::supernet {
namespace {

/// Norm of the step's gradient in each slot, over all networks and copies.
std::vector<double> slot_norms(const std::vector<Parameter>& parameters, std::size_t slots) {
  std::vector<at::Tensor> gradients;
  std::vector<std::size_t> of;
  for (const auto& parameter : parameters) {
    if (parameter.slot < 0 || !parameter.value.grad().defined()) continue;
    gradients.push_back(parameter.value.grad());
    of.push_back(static_cast<std::size_t>(parameter.slot));
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

class Learning : public Observer {
 public:
  Learning(const spaces::Space& space, std::shared_ptr<Sampler> sampler)
      : slots_(space.graph().slots.size()), sampler_(std::move(sampler)) {}

  NamedTensors begin(const tasks::Task& task) override {
    NamedTensors result;
    for (const auto& [name, tensor] : sampler_->begin(task.size(tasks::Split::train)))
      result.emplace_back("sampler." + name, tensor);
    return result;
  }

  bool asks_for_norms() const override { return true; }

  void found(const Trainee& trainee, const Findings& found) override {
    at::NoGradGuard guard;
    const auto norms = slot_norms(trainee.parameters(), slots_);
    for (const auto& genotype : found.architectures) sampler_->observe(genotype, norms);
    const Moment& now = found.now;
    const at::Tensor norms_of_examples = found.norms.cpu();
    for (std::size_t i = 0; i < trainee.networks(); ++i) {
      const at::Tensor all = sampler_->examples(now.step / now.per_epoch, trainee.orders()[i]);
      if (!all.defined()) continue;
      sampler_->observe(all.narrow(0, now.step % now.per_epoch * now.batch_size, now.batch_size),
                        norms_of_examples[static_cast<std::int64_t>(i)]);
    }
  }

  at::Tensor examples(std::int64_t epoch, std::int64_t order) const override {
    return sampler_->examples(epoch, order);
  }

  void after_step(Trainee&, const Moment& next, std::span<const spaces::Genotype>) override {
    if (next.ends_epoch()) sampler_->end_epoch(next.done());
  }

 private:
  std::size_t slots_;
  std::shared_ptr<Sampler> sampler_;
};

}  // namespace

std::unique_ptr<Observer> make_learning(const spaces::Space& space,
                                        std::shared_ptr<Sampler> sampler) {
  if (!sampler->learns()) return nullptr;
  return std::make_unique<Learning>(space, std::move(sampler));
}

}  // namespace mosaic::supernet
