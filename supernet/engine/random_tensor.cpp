#include "engine/random_tensor.hpp"

#include <ATen/ATen.h>

namespace mosaic::supernet {

at::Tensor normal_tensor(at::IntArrayRef shape, double deviation, core::Stream stream) {
  at::Tensor result = at::empty(shape, at::kFloat);
  auto* data = result.data_ptr<float>();
  for (std::int64_t i = 0; i < result.numel(); ++i)
    data[i] = static_cast<float>(deviation * stream.normal());
  return result;
}

}  // namespace mosaic::supernet
