#include <torch/torch.h>

#include "mosaic/supernet/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor batch_norm(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor weight = call.weight("weight").flatten();  // of one network or of several
  const at::Tensor bias = call.weight("bias").flatten();
  const double epsilon = call.node.reals.at("epsilon");
  const bool cudnn = true;
  if (call.mode == NormMode::stored) {
    const auto& stats = call.stats->at(call.node.name);
    return at::batch_norm(x, weight, bias, stats.mean, stats.variance, false, 0.0, epsilon, cudnn);
  }
  if (call.mode == NormMode::batch)
    return at::batch_norm(x, weight, bias, {}, {}, true, 0.0, epsilon, cudnn);
  // With momentum 1 the running statistics become those of this batch.
  const auto options = x.options().dtype(at::kFloat);
  at::Tensor mean = at::zeros({x.size(1)}, options);
  at::Tensor variance = at::ones({x.size(1)}, options);
  at::Tensor y = at::batch_norm(x, weight, bias, mean, variance, true, 1.0, epsilon, cudnn);
  call.stats->add(call.node.name, mean, variance);
  return y;
}

const core::Registered kEntry{op_kernels(), "batch_norm", "at::batch_norm; statistics by NormMode",
                              OpKernel(batch_norm)};

}  // namespace
}  // namespace mosaic::supernet
