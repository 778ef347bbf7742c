#include <ATen/ATen.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

at::Tensor token_mask(const OpCall& call) { return call.inputs[0].ne(0).to(at::kFloat); }

at::Tensor mean_tokens(const OpCall& call) {
  const auto counted = [skip = call.node.attribute("skip", 0)](const at::Tensor& all) {
    return skip > 0 ? all.slice(2, skip) : all;
  };
  const at::Tensor x = counted(call.inputs[0]);
  if (call.inputs.size() == 1) return x.mean({2});
  const at::Tensor mask = counted(call.inputs[1]).to(x.scalar_type()).unsqueeze(-1);
  return (x * mask).sum({2}) / mask.sum({2}).clamp_min(1);
}

/// [networks, batch, channels, height, width] to [networks, batch, patches, out], row by row.
at::Tensor patch_embedding(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor weight = call.weight("weight"), bias = call.weight("bias");
  const std::int64_t patch = call.node.attribute("patch");
  const std::int64_t rows = x.size(3) / patch, columns = x.size(4) / patch;
  const at::Tensor pieces =
      x.reshape({x.size(0), x.size(1), x.size(2), rows, patch, columns, patch})
          .permute({0, 1, 3, 5, 2, 4, 6})
          .reshape({x.size(0), x.size(1) * rows * columns, x.size(2) * patch * patch});
  at::Tensor y = at::bmm(pieces, weight.flatten(2).transpose(1, 2));
  if (bias.defined()) y = y + bias.unsqueeze(1);
  return y.view({x.size(0), x.size(1), rows * columns, weight.size(1)});
}

at::Tensor prepend_token(const OpCall& call) {
  const at::Tensor& x = call.inputs[0];
  const at::Tensor token = call.weight("weight");  // [networks, features]
  return at::cat({token.view({x.size(0), 1, 1, -1}).expand({-1, x.size(1), -1, -1}), x}, 2);
}

at::Tensor concatenate_length(const OpCall& call) {
  return at::cat(call.inputs.first(static_cast<std::size_t>(call.node.attribute("count"))), 2);
}

const core::Registered kJoinedEntry{op_kernels(), "concatenate_length", "at::cat",
                                    concatenate_length};
const core::Registered kAppendedEntry{op_kernels(), "append_length", "at::cat",
                                      [](const OpCall& call) {
                                        return at::cat({call.inputs[0], call.inputs[1]}, 2);
                                      }};
const core::Registered kMaskEntry{op_kernels(), "token_mask", "tokens that are not 0", token_mask};
const core::Registered kMeanEntry{op_kernels(), "mean_tokens", "mean over positions", mean_tokens};
const core::Registered kFirstEntry{op_kernels(), "first_token", "the first position",
                                   [](const OpCall& call) { return call.inputs[0].select(2, 0); }};
const core::Registered kPrependedEntry{op_kernels(), "prepend_token", "at::cat", prepend_token};
const core::Registered kPatchesEntry{op_kernels(), "patch_embedding",
                                     "patches as rows, one product", patch_embedding};

}  // namespace
}  // namespace mosaic::supernet
