// Our own kernels beside LibTorch's operations, at the sizes of HAT's supernet of translation
// (WMT): each is checked against its reference, then timed as a CUDA graph replays it.
//
//   bench_kernels_torch [--tokens 4096] [--vocabulary 32768]
//
// GB/s count what must be read and written once; the share is that of a copy on the same device.
// Without a GPU it says so and measures nothing.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "cross_entropy.hpp"
#include "engine/capture.hpp"
#include "engine/mixing.hpp"
#include "engine/rows.hpp"
#include "mosaic/supernet/engine/device.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "training/adam.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

constexpr std::int64_t kSets = 12;  // of operands, so that none is found in a cache

/// Seconds that one call takes on the device; call(i) for set i.
double seconds(const std::function<void(std::int64_t)>& call) {
  const at::Generator random = make_random("cuda");
  Recording recording(
      [&] {
        for (std::int64_t i = 0; i < kSets; ++i) call(i);
      },
      Recording::make_pool(), random);
  std::vector<double> times;
  for (int round = 0; round < 12; ++round) {
    torch::cuda::synchronize();
    const auto begin = std::chrono::steady_clock::now();
    recording.replay();
    torch::cuda::synchronize();
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] / static_cast<double>(kSets);
}

double difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor a = found.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

/// A computation of set i, and what its result is computed from.
struct Way {
  std::function<at::Tensor(std::int64_t)> forward;
  std::function<std::vector<at::Tensor>(std::int64_t)> leaves;
};

class Bench {
 public:
  Bench() {
    const at::Tensor from = at::zeros({256 << 20}, at::TensorOptions(at::kCUDA));
    at::Tensor to = at::empty_like(from);
    copy_ = 2.0 *
            static_cast<double>(from.nbytes()) /  // by a kernel: faster than a recorded memcpy
            seconds([&](std::int64_t) { at::neg_out(to, from); });
    std::printf("device copy %.0f GB/s\n\n%-44s %10s %10s %8s %10s %8s %10s\n", copy_ / 1e9, "",
                "us", "GB/s", "share", "LibTorch", "ratio", "error");
  }

  void line(const std::string& name, double ours, double bytes, double theirs, double error) const {
    std::printf("%-44s %10.1f %10.0f %7.0f%% %10.1f %8.2f %10.1e\n", name.c_str(), 1e6 * ours,
                bytes / ours / 1e9, 100 * bytes / ours / copy_, 1e6 * theirs, theirs / ours, error);
    std::fflush(stdout);
  }

  /// Forwards, and backwards alone; `bytes` of both.
  void differentiable(const std::string& name, const Way& ours, const Way& theirs,
                      std::pair<double, double> bytes) const {
    const at::Tensor gradient = at::randn_like(ours.forward(0));
    const auto backward = [&](const Way& way, std::int64_t i) {
      const at::Tensor y = way.forward(i);
      return torch::autograd::grad({y}, way.leaves(i), {gradient.to(y.scalar_type())});
    };
    double worst = 0;
    const auto found = backward(ours, 0), expected = backward(theirs, 0);
    for (std::size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, difference(found[i], expected[i]));
    const auto time = [&](const Way& way) {
      const double there = seconds([&](std::int64_t i) { way.forward(i); });
      const double both = seconds([&](std::int64_t i) { backward(way, i); });
      return std::pair{there, both - there};
    };
    const auto own = time(ours), other = time(theirs);
    line(name + ", forward", own.first, bytes.first, other.first,
         difference(ours.forward(0), theirs.forward(0)));
    line(name + ", backward", own.second, bytes.second, other.second, worst);
  }

 private:
  double copy_;
};

at::TensorOptions on_gpu(at::ScalarType type = at::kFloat) {
  return at::TensorOptions(at::kCUDA).dtype(type);
}

at::Tensor leaf(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
  return at::randn(sizes, on_gpu()).to(type).requires_grad_();
}

std::vector<at::Tensor> leaves(std::int64_t count, at::IntArrayRef sizes,
                               at::ScalarType type = at::kFloat) {
  std::vector<at::Tensor> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(leaf(sizes, type));
  return result;
}

const at::Tensor& at_set(const std::vector<at::Tensor>& all, std::int64_t i) {
  return all[static_cast<std::size_t>(i) % all.size()];
}

/// Of two copies; their squares add up to 1, so that our gradients are the plain ones.
at::Tensor coefficients() {
  return at::tensor({0.6, 0.8}, at::kFloat).view({1, 2}).cuda().requires_grad_();
}

/// Two copies of an inner weight of a feed-forward layer, both sliced.
void mixing(const Bench& bench, std::int64_t rows, std::int64_t columns) {
  const std::int64_t copies = 2, full_rows = 3072, full_columns = 640;
  const auto banks = leaves(kSets, {1, copies, full_rows, full_columns});
  const at::Tensor mix = coefficients();
  const std::vector<spaces::Crop> crops(2, spaces::Crop::leading);
  const spaces::WeightRef ref{"weight", "slot", {full_rows, full_columns}, {rows, columns}, crops};
  const auto own = [&](std::int64_t i) { return std::vector{at_set(banks, i), mix}; };
  const Way ours{[&](std::int64_t i) {
                   return mixed_weights({{at_set(banks, i), 0, true}}, {&ref}, {mix})[0];
                 },
                 own};
  const Way theirs{[&](std::int64_t i) {
                     const at::Tensor part =
                         at_set(banks, i).narrow(2, 0, rows).narrow(3, 0, columns);
                     return (part * mix.view({1, copies, 1, 1})).sum(1).to(at::kBFloat16);
                   },
                   own};
  const auto active = static_cast<double>(rows * columns);
  const auto full = static_cast<double>(full_rows * full_columns);
  bench.differentiable("mix 2 x " + std::to_string(rows) + " x " + std::to_string(columns), ours,
                       theirs,
                       {active * (4 * copies + 2), active * (4 * copies + 2) + full * 4 * copies});
}

/// The weights of all feed-forward layers in one call.
void mixing_all(const Bench& bench) {
  const std::int64_t layers = 12, copies = 2;
  std::vector<at::Tensor> banks, mixes;
  std::vector<spaces::WeightRef> refs;
  const std::vector<spaces::Crop> crops(2, spaces::Crop::leading);
  double active = 0, full = 0;
  for (std::int64_t layer = 0; layer < layers; ++layer)
    for (const bool out : {false, true}) {
      const std::int64_t inner = layer % 3 == 0 ? 1024 : layer % 3 == 1 ? 2048 : 3072;
      const std::vector<std::int64_t> whole =
          out ? std::vector<std::int64_t>{640, 3072} : std::vector<std::int64_t>{3072, 640};
      const std::vector<std::int64_t> part =
          out ? std::vector<std::int64_t>{512, inner} : std::vector<std::int64_t>{inner, 512};
      refs.push_back({"weight", "slot", whole, part, crops});
      banks.push_back(leaf({1, copies, whole[0], whole[1]}));
      mixes.push_back(coefficients());
      active += static_cast<double>(inner * 512);
      full += 3072 * 640;
    }
  std::vector<SlotCopies> slots;
  std::vector<const spaces::WeightRef*> asked;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    slots.push_back({banks[i], static_cast<int>(i), true});
    asked.push_back(&refs[i]);
  }
  auto all = banks;
  all.insert(all.end(), mixes.begin(), mixes.end());
  const auto plain = [&](std::size_t i) {
    return (active_part(banks[i], 2, refs[i]) * mixes[i].view({1, copies, 1, 1}))
        .sum(1)
        .to(at::kBFloat16);
  };
  std::vector<at::Tensor> gradients;
  for (const auto& ref : refs)
    gradients.push_back(at::randn({1, ref.active[0], ref.active[1]}, on_gpu()).to(at::kBFloat16));
  const auto ours = [&] { return mixed_weights(slots, asked, mixes); };
  const auto theirs = [&] {
    std::vector<at::Tensor> made;
    for (std::size_t i = 0; i < refs.size(); ++i) made.push_back(plain(i));
    return made;
  };
  const auto time = [&](const auto& make) {
    const double there = seconds([&](std::int64_t) { make(); });
    const double both =
        seconds([&](std::int64_t) { torch::autograd::grad(make(), all, gradients); });
    return std::pair{there, both - there};
  };
  double error = 0;
  const auto found = ours();
  for (std::size_t i = 0; i < refs.size(); ++i)
    error = std::max(error, difference(found[i], plain(i)));
  const auto own = time(ours), other = time(theirs);
  bench.line("mix all inner weights, forward", own.first, active * (4 * copies + 2), other.first,
             error);
  bench.line("mix all inner weights, backward", own.second,
             active * (4 * copies + 2) + full * 4 * copies, other.second, error);
}

void cross_entropy(const Bench& bench, std::int64_t tokens, std::int64_t vocabulary) {
  const auto logits = leaves(2, {tokens, vocabulary}, at::kBFloat16);
  const at::Tensor targets = at::randint(vocabulary, {tokens}, on_gpu(at::kLong));
  const auto own = [&](std::int64_t i) { return std::vector{at_set(logits, i)}; };
  const auto size = static_cast<double>(tokens * vocabulary);
  bench.differentiable(
      "cross-entropy of tokens",
      {[&](std::int64_t i) { return tasks::cross_entropies(at_set(logits, i), targets, 0.1); },
       own},
      {[&](std::int64_t i) {
         return at::cross_entropy_loss(at_set(logits, i).to(at::kFloat), targets, {},
                                       at::Reduction::None, -100, 0.1);
       },
       own},
      {2 * size, 4 * size});
}

at::Tensor call(const std::string& op, const std::vector<at::Tensor>& inputs,
                const std::vector<at::Tensor>& weights, const std::string& activation = {}) {
  spaces::GraphNode node;
  node.name = node.op = op;
  node.reals["epsilon"] = 1e-5;
  if (!activation.empty()) node.attributes[activation] = 1;
  for (std::size_t i = 0; i < weights.size(); ++i)
    node.weights.push_back({i == 0 ? "weight" : "bias", "slot", {}, {}, {}});
  Mode mode;
  mode.bfloat16 = true;
  return op_kernels().at(op)({node, inputs, weights, mode, inputs[0], 1, {}});
}

void norms(const Bench& bench, std::int64_t tokens, std::int64_t features) {
  const auto x = leaves(kSets, {1, tokens, 1, features}, at::kBFloat16),
             added = leaves(kSets, {1, tokens, 1, features}, at::kBFloat16);
  const at::Tensor weight = leaf({1, features}), bias = leaf({1, features});
  const auto own = [&](std::int64_t i) {
    return std::vector{at_set(x, i), at_set(added, i), weight, bias};
  };
  const auto size = static_cast<double>(tokens * features);
  bench.differentiable(
      "add + norm of " + std::to_string(features),
      {[&](std::int64_t i) {
         return call("layer_norm", {at_set(x, i), at_set(added, i)}, {weight, bias});
       },
       own},
      {[&](std::int64_t i) {
         return at::layer_norm((at_set(x, i) + at_set(added, i)).to(at::kFloat), {features},
                               weight[0], bias[0], 1e-5)
             .to(at::kBFloat16);
       },
       own},
      {6 * size, 8 * size});
}

void linears(const Bench& bench, std::int64_t tokens, const std::string& activation) {
  const std::int64_t in = 512, out = 2048;
  const auto x = leaves(kSets, {1, tokens, 1, in}, at::kBFloat16),
             weight = leaves(kSets, {1, out, in}, at::kBFloat16);
  const at::Tensor bias = leaf({1, out}, at::kBFloat16);
  const auto own = [&](std::int64_t i) {
    return std::vector{at_set(x, i), at_set(weight, i), bias};
  };
  const auto size = static_cast<double>(tokens * (in + out) + in * out);
  bench.differentiable(
      "linear" + (activation.empty() ? "" : " + " + activation),
      {[&](std::int64_t i) {
         return call("linear", {at_set(x, i)}, {at_set(weight, i), bias}, activation);
       },
       own},
      {[&](std::int64_t i) {
         const at::Tensor y = at::linear(at_set(x, i), at_set(weight, i)[0], bias[0]);
         return activation == "relu" ? at::relu(y) : activation == "gelu" ? at::gelu(y) : y;
       },
       own},
      {2 * size, 4 * size});
}

/// Of sentences of one length; some keys do not count if `masked`.
void attention(const Bench& bench, std::int64_t sentences, std::int64_t length, std::int64_t heads,
               bool masked) {
  const std::int64_t width = 512;
  const auto make = [&] { return leaves(kSets, {1, sentences, length, width}, at::kBFloat16); };
  const auto q = make(), k = make(), v = make();
  const at::Tensor mask = at::rand({1, sentences, length}, on_gpu()).gt(0.1).to(at::kFloat);
  spaces::GraphNode node;
  node.name = node.op = "attention";
  node.attributes = {{"heads", heads}};
  const auto own = [&](std::int64_t i) {
    return std::vector{at_set(q, i), at_set(k, i), at_set(v, i)};
  };
  const auto entries = static_cast<double>(sentences * length * width);
  bench.differentiable("attention " + std::to_string(sentences) + " x " + std::to_string(length) +
                           ", " + std::to_string(heads) + " heads" + (masked ? ", mask" : ""),
                       {[&](std::int64_t i) {
                          auto inputs = own(i);
                          if (masked) inputs.push_back(mask);
                          return op_kernels().at("attention")({node, inputs, {}, {}, mask, 1, {}});
                        },
                        own},
                       {[&](std::int64_t i) {
                          const auto by_head = [&](const at::Tensor& x) {
                            return x[0].unflatten(-1, {heads, -1}).transpose(1, 2);
                          };
                          std::optional<at::Tensor> counts;
                          if (masked) counts = mask[0].ne(0).unsqueeze(1).unsqueeze(1);
                          return at::scaled_dot_product_attention(by_head(at_set(q, i)),
                                                                  by_head(at_set(k, i)),
                                                                  by_head(at_set(v, i)), counts)
                              .transpose(1, 2)
                              .flatten(2)
                              .unsqueeze(0);
                        },
                        own},
                       {8 * entries, 14 * entries});
}

/// The gradient of a table of which a batch's tokens read rows.
void rows(const Bench& bench, std::int64_t tokens, std::int64_t vocabulary) {
  const std::int64_t width = 640;
  const at::Tensor table = at::zeros({vocabulary, width}, on_gpu()), other = at::zeros_like(table);
  const at::Tensor keys = at::randint(vocabulary, {tokens}, on_gpu(at::kLong));
  const at::Tensor given = at::randn({tokens, width}, on_gpu());
  const auto dense = [&] {
    return at::embedding_dense_backward(given, keys, vocabulary, -1, false);
  };
  add_rows(table, keys, given);
  const double error = difference(table, dense());
  bench.line("rows of an embedding's gradient",
             seconds([&](std::int64_t) { add_rows(table, keys, given); }),
             12.0 * static_cast<double>(given.numel()),
             seconds([&](std::int64_t) { at::Tensor(other).add_(dense()); }), error);
}

/// All weights of HAT's largest network and their copies.
void adam(const Bench& bench, std::int64_t vocabulary) {
  const auto make = [&] {
    std::vector<AdamTensor> all;
    const auto add = [&](std::int64_t count, std::vector<std::int64_t> sizes) {
      for (std::int64_t i = 0; i < count; ++i) {
        const at::Tensor weight = at::randn(sizes, on_gpu());
        all.push_back({weight,
                       at::randn(sizes, on_gpu()),
                       at::zeros_like(weight),
                       at::zeros_like(weight),
                       at::zeros({}, on_gpu()),
                       1e-4,
                       0.01,
                       {0}});
      }
    };
    add(2, {1, 1, vocabulary, 640});
    for (const bool out : {false, true})
      add(12, out ? std::vector<std::int64_t>{1, 2, 640, 3072}
                  : std::vector<std::int64_t>{1, 2, 3072, 640});
    add(4 * 18, {1, 1, 640, 512});
    add(150, {1, 1, 640});
    return all;
  };
  at::manual_seed(1);
  auto ours = make();
  at::manual_seed(1);
  auto theirs = make();
  const auto libtorch = [&] {
    std::vector<at::Tensor> weights, gradients, first, second, steps;
    for (const auto& tensor : theirs) {
      weights.push_back(tensor.weight);
      gradients.push_back(tensor.gradient);
      first.push_back(tensor.first);
      second.push_back(tensor.second);
      steps.push_back(tensor.steps);
    }
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(weights, gradients, first, second, {}, steps, 1e-4, 0.9, 0.999, 0.01, 1e-8,
                      false, false);
  };
  adam_step(ours, {});
  libtorch();
  double worst = 0, bytes = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    worst = std::max(worst, difference(ours[i].weight, theirs[i].weight));
    bytes += 28.0 * static_cast<double>(ours[i].weight.numel());
  }
  bench.line("AdamW of " + std::to_string(static_cast<int>(bytes / 28e6)) + " million",
             seconds([&](std::int64_t) { adam_step(ours, {}); }), bytes,
             seconds([&](std::int64_t) { libtorch(); }), worst);
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t tokens = 4096, vocabulary = 32'768;
  CLI::App app{"Our own kernels beside LibTorch's operations"};
  app.add_option("--tokens", tokens, "positions of a batch");
  app.add_option("--vocabulary", vocabulary, "tokens that there are");
  CLI11_PARSE(app, argc, argv);
  if (!torch::cuda::is_available()) {
    std::printf("no CUDA device: nothing is measured\n");
    return 0;
  }
  set_threads(0);
  const OwnStream own("cuda");
  std::printf("%s, %lld tokens, vocabulary %lld\n", describe_device("cuda").c_str(),
              static_cast<long long>(tokens), static_cast<long long>(vocabulary));
  const Bench bench;
  mixing(bench, 2048, 512);
  mixing(bench, 3072, 640);
  mixing_all(bench);
  cross_entropy(bench, tokens, vocabulary);
  norms(bench, tokens, 512);
  norms(bench, tokens, 640);
  for (const char* activation : {"", "relu", "gelu"}) linears(bench, tokens, activation);
  for (const bool masked : {false, true})
    for (const std::int64_t heads : {8, 4}) {
      attention(bench, 64, 64, heads, masked);
      attention(bench, 256, 32, heads, masked);
    }
  rows(bench, tokens, vocabulary);
  adam(bench, vocabulary);
  return 0;
}
