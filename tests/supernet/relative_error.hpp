/// How far a tensor is from the one it should be.
#pragma once

#include <ATen/ATen.h>

namespace mosaic::supernet::test {

/// |found - expected| / |expected| over all entries together, in double precision on the CPU.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor a = found.detach().to(at::kCPU, at::kDouble);
  const at::Tensor b = expected.detach().to(at::kCPU, at::kDouble);
  return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

}  // namespace mosaic::supernet::test
