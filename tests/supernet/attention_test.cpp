// Attention by its own kernels, and of inputs that are packed.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "mosaic/supernet/engine/executor.hpp"
#include "needs.hpp"
#include "poisoned.hpp"
#include "relative_error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using supernet::test::relative_error;

namespace {

struct Case {
  std::int64_t networks, batch, heads, kv_heads, queries, keys, size;
  bool causal, masked;
};

/// Queries, keys and values.
std::vector<at::Tensor> draw(const Case& of) {
  const auto values = [&](std::int64_t length, std::int64_t heads) {
    return at::randn({of.networks, of.batch, length, heads * of.size}).to(at::kBFloat16);
  };
  return {values(of.queries, of.heads), values(of.keys, of.kv_heads), values(of.keys, of.kv_heads)};
}

/// Some keys do not count, and of the first sentence none.
at::Tensor mask_of(const Case& of) {
  if (!of.masked) return {};
  at::Tensor mask = at::rand({of.networks, of.batch, of.keys}).gt(0.3).to(at::kFloat);
  mask.select(0, 0).select(0, 0).zero_();
  return mask;
}

/// The value, then the gradients of queries, keys and values; inputs one by one (0), packed as a
/// node may have them (2, 3), or columns of one tensor (1).
std::vector<at::Tensor> ask(const Case& of, int packed, std::vector<at::Tensor> values,
                            const at::Tensor& mask, const at::Tensor& gradient,
                            const Mode& mode = {}) {
  spaces::GraphNode node;
  node.name = node.op = "attention";
  node.attributes = {{"heads", of.heads}, {"kv_heads", of.kv_heads}, {"causal", of.causal}};
  const std::vector<std::int64_t> widths{of.heads * of.size, of.kv_heads * of.size,
                                         of.kv_heads * of.size};
  if (packed > 1) node.attributes["packed"] = packed;
  if (packed == 2) values = {values[0], at::cat({values[1], values[2]}, -1)};
  if (packed == 1 || packed == 3) values = {at::cat(values, -1)};
  for (auto& leaf : values) leaf = leaf.detach().requires_grad_();
  auto inputs = packed == 1 ? values[0].split_with_sizes(widths, -1) : values;
  if (mask.defined()) inputs.push_back(mask);
  const at::Tensor y =
      op_kernels().at("attention")({node, inputs, {}, mode, inputs[0], of.networks, {}});
  const auto found = torch::autograd::grad({y}, values, {gradient.to(y.options())});
  std::vector<at::Tensor> result{y};
  if (packed == 1 || packed == 3) {
    for (const auto& part : found[0].split_with_sizes(widths, -1)) result.push_back(part);
  } else if (packed == 2) {
    const auto both = found[1].chunk(2, -1);
    result.insert(result.end(), {found[0], both[0], both[1]});
  } else {
    result.insert(result.end(), found.begin(), found.end());
  }
  return result;
}

at::Tensor gradient_of(const Case& of) {
  return at::randn({of.networks, of.batch, of.queries, of.heads * of.size}).to(at::kBFloat16);
}

std::vector<at::Tensor> as(std::vector<at::Tensor> all, const at::TensorOptions& options) {
  for (auto& one : all) one = one.to(options);
  return all;
}

}  // namespace

TEST_CASE("attention of packed inputs is that of separate ones, gradients included") {
  const int packed = GENERATE(2, 3);
  const int networks = GENERATE(1, 3);
  const int kv_heads = GENERATE(2, 4);
  const bool causal = GENERATE(false, true), masked = GENERATE(false, true);
  const int keys = packed == 3 || causal ? 5 : 7;
  const Case of{networks, 2, 4, kv_heads, 5, keys, 6, causal, masked};
  CAPTURE(packed, networks, kv_heads, causal, masked);
  at::manual_seed(1);
  const auto values = as(draw(of), at::kDouble);
  const at::Tensor mask = mask_of(of), gradient = gradient_of(of);
  const auto expected = ask(of, 0, values, mask, gradient);
  const auto found = ask(of, packed, values, mask, gradient);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_error(found[i], expected[i]) < 1e-12);
  }
}

TEST_CASE("queries that see no key get 0, and so do their gradients") {
  const Case of{1, 2, 2, 2, 3, 4, 6, false, true};
  at::manual_seed(1);
  for (const auto& part :
       ask(of, 0, as(draw(of), at::kFloat), mask_of(of), gradient_of(of).to(at::kFloat))) {
    CHECK(part[0][0].count_nonzero().item<std::int64_t>() == 0);
    CHECK(part[0][1].count_nonzero().item<std::int64_t>() > 0);
  }
}

TEST_CASE("attention in bfloat16 on the GPU is that of double precision", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const auto [networks, batch, heads, kv_heads, queries, keys, size] =
      GENERATE(table<int, int, int, int, int, int, int>({{1, 2, 2, 2, 1, 1, 16},
                                                         {1, 3, 4, 2, 7, 7, 32},
                                                         {2, 3, 2, 2, 16, 16, 64},
                                                         {1, 4, 8, 8, 32, 32, 64},
                                                         {1, 4, 4, 4, 32, 32, 128},
                                                         {1, 2, 4, 1, 33, 33, 96},
                                                         {3, 2, 8, 8, 64, 64, 64},
                                                         {1, 3, 4, 4, 64, 64, 128},
                                                         {2, 2, 4, 2, 64, 64, 80},
                                                         {1, 2, 4, 2, 100, 100, 48},
                                                         {1, 2, 2, 1, 100, 100, 128},
                                                         {1, 2, 3, 3, 128, 128, 64},
                                                         {2, 1, 2, 2, 128, 128, 128},
                                                         {1, 3, 4, 4, 1, 50, 64},
                                                         {1, 3, 4, 2, 50, 9, 64},
                                                         {1, 2, 4, 4, 20, 128, 96},
                                                         {1, 2, 2, 2, 130, 130, 64},  // LibTorch's
                                                         {1, 2, 2, 2, 40, 40, 24}}));
  const int packed = GENERATE(0, 1, 2, 3);
  const bool causal = GENERATE(false, true), masked = GENERATE(false, true);
  const auto type = GENERATE(at::kFloat, at::kBFloat16);
  const bool own = queries <= 128 && size % 16 == 0, square = queries == keys;
  if (!square && (causal || packed == 1 || packed == 3)) return;
  if (!own && (masked || type == at::kFloat)) return;  // as LibTorch has it
  CAPTURE(networks, batch, heads, kv_heads, queries, keys, size, packed, causal, masked, type);
  const Case of{networks, batch, heads, kv_heads, queries, keys, size, causal, masked};
  at::manual_seed(1);
  const auto values = draw(of);
  const at::Tensor mask = mask_of(of), gradient = gradient_of(of);
  const auto expected = ask(of, 0, as(values, at::kDouble), mask, gradient);
  const Poisoned poisoned;
  Mode mode;
  mode.bfloat16 = true;
  const auto found = ask(of, packed, as(values, at::TensorOptions(at::kCUDA).dtype(type)),
                         mask.defined() ? mask.cuda() : mask, gradient.cuda(), mode);
  CHECK(found[0].scalar_type() == at::kBFloat16);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    if (i > 0) CHECK(found[i].scalar_type() == type);
    CHECK(relative_error(found[i], expected[i]) < 1e-2);
  }
}

TEST_CASE("attention on the GPU gives the same bits each time", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const Case of{2, 16, 8, GENERATE(8, 2), 64, 64, 64, false, true};
  at::manual_seed(1);
  const auto values = as(draw(of), at::kCUDA);
  const at::Tensor mask = mask_of(of).cuda(), gradient = gradient_of(of).cuda();
  const auto once = ask(of, 3, values, mask, gradient), again = ask(of, 3, values, mask, gradient);
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(at::equal(once[i], again[i]));
}
