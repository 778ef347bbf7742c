#include "cross_entropy.hpp"

#include <ATen/ATen.h>

#include "soft_losses.hpp"

namespace mosaic::tasks {

at::Tensor (*cross_entropy_kernel)(const at::Tensor& logits, const at::Tensor& targets,
                                   double label_smoothing) = nullptr;

at::Tensor cross_entropies(const at::Tensor& logits, const at::Tensor& targets,
                           double label_smoothing) {
  if (cross_entropy_kernel != nullptr)
    if (at::Tensor made = cross_entropy_kernel(logits, targets, label_smoothing); made.defined())
      return made;
  const auto type = logits.scalar_type();
  const bool narrow = type == at::kHalf || type == at::kBFloat16;
  return at::cross_entropy_loss(narrow ? logits.to(at::kFloat) : logits, targets, {},
                                at::Reduction::None, kNotAsked, label_smoothing);
}

}  // namespace mosaic::tasks
