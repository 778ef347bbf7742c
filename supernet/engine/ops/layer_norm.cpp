#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// [networks, features] beside a value [networks, ..., features].
at::Tensor beside(const at::Tensor& weight, const at::Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape.front() = weight.size(0);
  shape.back() = weight.size(1);
  return weight.view(shape);
}

at::Tensor layer_norm(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor weight = call.weight("weight"), bias = call.weight("bias");
  const double epsilon = call.node.reals.at("epsilon");
  if (call.networks == 1)
    return at::layer_norm(x, {x.size(-1)}, weight.squeeze(0), bias.squeeze(0), epsilon);
  return at::layer_norm(x, {x.size(-1)}, {}, {}, epsilon) * beside(weight, x) + beside(bias, x);
}

at::Tensor rms_norm(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor weight = call.weight("weight");
  const double epsilon = call.node.reals.at("epsilon");
  if (call.networks == 1) return at::rms_norm(x, {x.size(-1)}, weight.squeeze(0), epsilon);
  return at::rms_norm(x, {x.size(-1)}, {}, epsilon) * beside(weight, x);
}

const core::Registered kLayerEntry{
    op_kernels(), "layer_norm", "at::layer_norm; several networks scaled afterwards", layer_norm};
const core::Registered kRmsEntry{op_kernels(), "rms_norm",
                                 "at::rms_norm; several networks scaled afterwards", rms_norm};

}  // namespace
}  // namespace mosaic::supernet
