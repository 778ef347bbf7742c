// Training images on a GPU: builds with CUDA alone have this file.
#include <c10/cuda/CUDAGuard.h>

#include "images/crop.hpp"
#include "images/cuda/crop.hpp"

namespace mosaic::tasks {
namespace {

at::Tensor crop_on_gpu(const CropCall& call) {
  if (!call.plan.is_cuda() || call.plan.stride(1) != 1) return {};
  const c10::cuda::CUDAGuard guard(call.plan.device());
  const std::int64_t batch = call.plan.size(1);
  const at::Tensor result =
      at::empty({batch, call.height, call.width, call.channels}, call.mean.options());
  cuda::crop({call.pixels.const_data_ptr<std::uint8_t>(), call.images, call.height, call.width,
              call.channels},
             {call.plan.const_data_ptr<std::int64_t>(), call.plan.stride(0), call.padding}, batch,
             call.mean.const_data_ptr<float>(), call.inverse.const_data_ptr<float>(),
             result.mutable_data_ptr<float>(), c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

const bool kThere = [] {
  crop_kernel = crop_on_gpu;
  return true;
}();

}  // namespace
}  // namespace mosaic::tasks
