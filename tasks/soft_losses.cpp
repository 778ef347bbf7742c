#include "soft_losses.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <stdexcept>

namespace mosaic::tasks {
namespace {

at::Tensor shares_of(const at::Tensor& teacher, double temperature) {
  const at::NoGradGuard guard;
  return at::softmax(teacher.to(at::kFloat) / temperature, -1);
}

}  // namespace

at::Tensor soft_losses(const at::Tensor& outputs, const at::Tensor& teacher,
                       const at::Tensor& target, double temperature) {
  if (outputs.sizes() != teacher.sizes() ||
      target.sizes() != outputs.sizes().slice(0, target.dim()) || outputs.dim() != target.dim() + 1)
    throw std::logic_error("a teacher's outputs have the shape of those that learn from it");
  const at::Tensor logits = at::log_softmax(outputs.to(at::kFloat) / temperature, -1);
  const at::Tensor asked = target.ne(kNotAsked);
  const at::Tensor each = (shares_of(teacher, temperature) * logits)
                              .sum(-1)
                              .masked_fill(asked.logical_not(), 0)
                              .view({target.size(0), -1});
  const at::Tensor count = asked.view({target.size(0), -1}).sum(1).clamp_min(1);
  return each.sum(1) / count * (-temperature * temperature);
}

}  // namespace mosaic::tasks
