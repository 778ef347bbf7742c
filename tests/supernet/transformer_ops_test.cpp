// Ops of Transformers against naive loops, and several networks side by side against one by one.
#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"
#include "mosaic/supernet/engine/executor.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using spaces::SpaceBuilder;
using spaces::Value;

namespace {

using Build = std::function<Value(SpaceBuilder&, Value)>;

at::Tensor draw(at::IntArrayRef sizes, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::kDouble);
}

/// A piece of network over [length, features], or over tokens [length]; of any length, or of one.
struct Piece {
  spaces::Graph graph;
  Program program;

  Piece(const Build& build, std::int64_t features, int networks, std::int64_t of_length = 0)
      : graph(bound(build, features, of_length)),
        program(Program::compile(
            std::vector<const spaces::Graph*>(static_cast<std::size_t>(networks), &graph),
            "forward", true)) {}

  static spaces::Graph bound(const Build& build, std::int64_t features, std::int64_t of_length) {
    SpaceBuilder b({}, {});
    const auto length =
        of_length > 0 ? spaces::Extent(of_length) : spaces::Extent::symbol("length");
    const Value x = features > 0 ? b.input("x", {length, features})
                                 : b.input("x", {length}, spaces::DataType::int64);
    b.entry("forward", {x}, {build(b, x)});
    return spaces::bind(b.finish(), {});
  }

  std::vector<at::Tensor> weights(std::uint64_t seed) const {
    std::vector<at::Tensor> result;
    for (const auto& weight : program.weights()) {
      std::vector<std::int64_t> sizes{program.networks()};
      sizes.insert(sizes.end(), weight.ref.active.begin(), weight.ref.active.end());
      result.push_back(draw(sizes, seed++));
    }
    return result;
  }
  at::Tensor operator()(const at::Tensor& x, const std::vector<at::Tensor>& own,
                        Mode mode = {}) const {
    return run(program, NamedTensors{{"x", x}}, own, mode).values[0];
  }
};

/// What three networks give side by side is what each gives alone.
void check_side_by_side(const Build& build, const at::Tensor& x, std::int64_t features,
                        std::int64_t of_length = 0) {
  const Piece all(build, features, 3, of_length), one(build, features, 1, of_length);
  const auto weights = all.weights(11);
  const at::Tensor y = all(x, weights);
  for (int network = 0; network < 3; ++network) {
    std::vector<at::Tensor> own;
    for (const auto& weight : weights) own.push_back(weight.narrow(0, network, 1));
    const at::Tensor alone = one(x.narrow(0, network, 1), own);
    CHECK(at::allclose(y.narrow(0, network, 1), alone, 1e-10, 1e-12));
  }
}

/// softmax(q k^T / sqrt(size)) v by loops; [length, heads, size] each.
at::Tensor naive_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const std::function<bool(std::int64_t, std::int64_t)>& sees) {
  const std::int64_t heads = q.size(1), shared = heads / k.size(1), size = q.size(2);
  at::Tensor y = at::zeros_like(q);
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t i = 0; i < q.size(0); ++i) {
      std::vector<double> shares;
      double sum = 0;
      for (std::int64_t j = 0; j < k.size(0); ++j) {
        double score = 0;
        for (std::int64_t d = 0; d < size; ++d)
          score += q[i][head][d].item<double>() * k[j][head / shared][d].item<double>();
        shares.push_back(sees(i, j) ? std::exp(score / std::sqrt(static_cast<double>(size))) : 0.0);
        sum += shares.back();
      }
      for (std::int64_t j = 0; j < k.size(0); ++j)
        y[i][head] += v[j][head / shared] * (shares[static_cast<std::size_t>(j)] / sum);
    }
  return y;
}

}  // namespace

TEST_CASE("attention agrees with loops: groups of queries, masks, causal") {
  for (const bool causal : {false, true})
    for (const bool masked : {false, true}) {
      INFO("causal " << causal << ", masked " << masked);
      // Features: 4 heads of queries, 2 of keys, 2 of values, all of size 3; tokens as a mask.
      SpaceBuilder b({}, {});
      const auto length = spaces::Extent::symbol("length");
      const Value q = b.input("q", {length, 12}), k = b.input("k", {length, 6}),
                  v = b.input("v", {length, 6}),
                  tokens = b.input("tokens", {length}, spaces::DataType::int64);
      std::vector<Value> inputs{q, k, v};
      if (masked) inputs.push_back(b.node("mask", "token_mask", {tokens}));
      b.entry("forward", {q, k, v, tokens},
              {b.node("y", "attention", inputs,
                      {{"heads", 4}, {"kv_heads", 2}, {"causal", causal ? 1 : 0}})});
      const auto graph = spaces::bind(b.finish(), {});
      const at::Tensor given = at::tensor({4, 2, 7, 1, 0, 3, 1, 0, 0, 0}, at::kLong).view({2, 5});
      const NamedTensors in{{"q", draw({2, 5, 12}, 1)},
                            {"k", draw({2, 5, 6}, 2)},
                            {"v", draw({2, 5, 6}, 3)},
                            {"tokens", given}};
      const at::Tensor y = execute(graph, "forward", in, {}, NormMode::batch, nullptr)[0];
      for (std::int64_t example = 0; example < 2; ++example) {
        const auto heads = [&](const char* name, std::int64_t count) {
          return tasks::tensor(in, name)[example].view({5, count, 3});
        };
        const auto expected = naive_attention(
            heads("q", 4), heads("k", 2), heads("v", 2), [&](std::int64_t i, std::int64_t j) {
              return (!causal || j <= i) &&
                     (!masked || given[example][j].item<std::int64_t>() != 0);
            });
        CHECK(at::allclose(y[example].view({5, 4, 3}), expected, 1e-10, 1e-12));
      }
    }
}

// The formulas of RelativePosition2D_super and AttentionSuper in AutoFormer's code: distances of
// patches are clamped and counted from 1, and 0 stands for all pairs with the class token.
TEST_CASE("attention with relative positions agrees with loops over pairs") {
  constexpr std::int64_t kHeads = 2, kSize = 3, kRows = 2, kColumns = 4, kDistance = 2;
  for (const std::int64_t leads : {0, 1}) {
    CAPTURE(leads);
    const std::int64_t length = kRows * kColumns + leads;
    SpaceBuilder b({}, {});
    const auto port = [&](const char* name) { return b.input(name, {length, kHeads * kSize}); };
    const Value q = port("q"), k = port("k"), v = port("v");
    std::vector<spaces::WeightUse> uses;
    std::map<std::string, at::Tensor> tables;
    for (const char* name : {"key_rows", "key_columns", "value_rows", "value_columns"}) {
      tables[name] = draw({2 * kDistance + 1 + leads, kSize}, 10 + tables.size());
      uses.push_back(b.weight(name, name, {2 * kDistance + 1 + leads, kSize},
                              {spaces::Crop::leading, spaces::Crop::leading}, spaces::Init::small,
                              ""));
    }
    b.entry("forward", {q, k, v},
            {b.node("y", "relative_attention", {q, k, v},
                    {{"heads", kHeads},
                     {"rows", kRows},
                     {"columns", kColumns},
                     {"class_token", leads},
                     {"distance", kDistance}},
                    uses)});
    const auto graph = spaces::bind(b.finish(), {});
    CHECK(spaces::count_parameters(graph) ==
          static_cast<double>(4 * (2 * kDistance + 1 + leads) * kSize));
    CHECK(spaces::count_flops(graph) ==
          static_cast<double>(2 * length * kHeads * kSize * (length + kRows + kColumns + leads)));
    const NamedTensors in{{"q", draw({2, length, kHeads * kSize}, 1)},
                          {"k", draw({2, length, kHeads * kSize}, 2)},
                          {"v", draw({2, length, kHeads * kSize}, 3)}};
    const at::Tensor y = execute(
        graph, "forward", in, [&](const auto& ref) { return tables.at(ref.slot); }, NormMode::batch,
        nullptr)[0];

    /// What a pair of tokens gets of the tables "key" or "value".
    const auto relative = [&](const std::string& what, std::int64_t i, std::int64_t j) {
      std::int64_t row = 0, column = 0;
      if (i >= leads && j >= leads) {
        const auto counted = [&](std::int64_t apart) {
          return std::clamp(apart, -kDistance, kDistance) + kDistance + leads;
        };
        row = counted((j - leads) / kColumns - (i - leads) / kColumns);
        column = counted((j - leads) % kColumns - (i - leads) % kColumns);
      }
      return tables.at(what + "_rows")[row] + tables.at(what + "_columns")[column];
    };
    for (std::int64_t example = 0; example < 2; ++example)
      for (std::int64_t head = 0; head < kHeads; ++head) {
        const auto of = [&](const char* name, std::int64_t token) {
          return tasks::tensor(in, name)[example][token].narrow(0, head * kSize, kSize);
        };
        for (std::int64_t i = 0; i < length; ++i) {
          std::vector<at::Tensor> scores, values;
          for (std::int64_t j = 0; j < length; ++j) {
            scores.push_back(of("q", i).dot(of("k", j) + relative("key", i, j)));
            values.push_back(of("v", j) + relative("value", i, j));
          }
          const at::Tensor shares =
              (at::stack(scores) / std::sqrt(static_cast<double>(kSize))).softmax(0);
          CHECK(at::allclose(y[example][i].narrow(0, head * kSize, kSize),
                             shares.matmul(at::stack(values)), 1e-10, 1e-12));
        }
      }
  }
}

TEST_CASE("attention with relative positions is among all tokens of one image") {
  const spaces::Grid grid{.rows = 2, .columns = 3};
  const auto with = [&](const spaces::AttentionOptions& options, std::int64_t length) {
    return Piece([&](auto& b, Value v) { return attention(b, "y", v, v, options); }, 6, 1, length);
  };
  CHECK_NOTHROW(with({.heads = 2, .head_size = 3, .grid = grid}, 6));
  CHECK_THROWS_WITH(with({.heads = 2, .head_size = 3, .grid = grid}, 7),
                    Catch::Contains("y.heads") && Catch::Contains("differ along axis 0"));
  CHECK_THROWS_WITH(with({.heads = 2, .head_size = 3, .causal = true, .grid = grid}, 6),
                    Catch::Contains("is not causal"));
}

TEST_CASE("norms, activations and embeddings agree with their definitions") {
  const at::Tensor x = draw({1, 2, 3, 6}, 5);
  SECTION("layer norm and RMS norm") {
    const Piece layer([](auto& b, Value v) { return layer_norm(b, "y", v); }, 6, 1);
    const Piece rms([](auto& b, Value v) { return rms_norm(b, "y", v); }, 6, 1);
    const auto own = layer.weights(3);
    const at::Tensor row = x[0][1][2];
    const at::Tensor centred = row - row.mean();
    CHECK(at::allclose(layer(x, own)[0][1][2],
                       centred / (centred.square().mean() + 1e-5).sqrt() * own[0][0] + own[1][0]));
    CHECK(at::allclose(rms(x, {own[0]})[0][1][2],
                       row / (row.square().mean() + 1e-6).sqrt() * own[0][0]));
  }
  SECTION("activations") {
    const auto of = [&](const std::string& op) {
      return Piece([&](auto& b, Value v) { return b.node("y", op, {v}); }, 6, 1)(x, {});
    };
    const double one = x[0][0][1][3].item<double>();
    CHECK(of("gelu")[0][0][1][3].item<double>() ==
          Approx(one * 0.5 * (1 + std::erf(one / std::sqrt(2.0)))));
    CHECK(of("silu")[0][0][1][3].item<double>() == Approx(one / (1 + std::exp(-one))));
    CHECK(of("tanh")[0][0][1][3].item<double>() == Approx(std::tanh(one)));
  }
  SECTION("sinusoids of a wider table are cut, as fairseq's are") {
    const Piece piece(
        [](auto& b, Value v) {
          return b.node("y", "sinusoid", {v}, {{"width", 8}, {"first", 2}});
        },
        6, 1);
    const at::Tensor added = piece(x, {}) - x;
    const double rate = std::exp(-std::log(1e4) / 3 * 2);  // of the third of four
    CHECK(added[0][1][2][2].item<double>() == Approx(std::sin(4 * rate)).margin(1e-6));
    CHECK(added[0][1][2][4].item<double>() == Approx(std::cos(4.0)).margin(1e-6));
  }
  SECTION("rotary scores depend on the distance alone") {
    const Piece piece(
        [](auto& b, Value v) {
          return b.node("y", "rotary", {v}, {{"heads", 1}}, {}, {{"base", 50}});
        },
        6, 1);
    const at::Tensor same = draw({6}, 8), other = draw({6}, 9);
    const auto at_all = [&](const at::Tensor& row) {
      return piece(row.expand({1, 1, 4, 6}).contiguous(), {})[0][0];
    };
    const at::Tensor scores = at_all(same).matmul(at_all(other).t());
    CHECK(at::allclose(scores[0][1], scores[2][3], 1e-5, 1e-6));
    CHECK(at::allclose(scores[3][1], scores[2][0], 1e-5, 1e-6));
    CHECK(at::allclose(scores[1][1], same.dot(other), 1e-5, 1e-6));
    CHECK_FALSE(at::allclose(scores[0][1], scores[1][0], 1e-3, 1e-3));
  }
  SECTION("patches are what a convolution with that stride makes") {
    SpaceBuilder b({}, {});
    const Value image = b.input("image", {2, 6, 4});
    b.entry("forward", {image},
            {b.node("y", "patch_embedding", {image}, {{"patch", 2}, {"out", 5}},
                    {b.weight("weight", "w", {5, 2, 2, 2},
                              std::vector<spaces::Crop>(4, spaces::Crop::leading),
                              spaces::Init::xavier, "")})});
    const auto graph = spaces::bind(b.finish(), {});
    const at::Tensor picture = draw({3, 2, 6, 4}, 4);
    at::Tensor weight = draw({5, 2, 2, 2}, 6);
    const at::Tensor y = execute(
        graph, "forward", picture, [&](const auto&) { return weight; }, NormMode::batch,
        nullptr)[0];
    CHECK(at::allclose(y, at::conv2d(picture, weight, {}, 2).flatten(2).transpose(1, 2)));
    CHECK(spaces::count_flops(graph) == 6 * 5 * 8);
  }
  SECTION("a sequence longer than the table of positions is refused") {
    const Piece piece([](auto& b, Value v) { return positions(b, "y", v, 2); }, 6, 1);
    CHECK_THROWS_WITH(piece(x, piece.weights(1)), Catch::Contains("knows 2 positions"));
  }
}

TEST_CASE("networks side by side compute what each computes alone") {
  const at::Tensor x = draw({3, 2, 5, 6}, 21);
  check_side_by_side([](auto& b, Value v) { return layer_norm(b, "y", v); }, x, 6);
  check_side_by_side([](auto& b, Value v) { return rms_norm(b, "y", v); }, x, 6);
  check_side_by_side([](auto& b, Value v) { return positions(b, "y", v, 7); }, x, 6);
  check_side_by_side(
      [](auto& b, Value v) {
        return attention(b, "y", v, v, {.heads = 4, .head_size = 2, .kv_heads = 2, .rotary = 100});
      },
      x, 6);
  check_side_by_side(
      [](auto& b, Value v) {
        const Value all = class_token(b, "token", v);
        const spaces::Grid grid{.rows = 5, .columns = 1, .class_token = true, .distance = 3};
        const Value y = attention(b, "y", all, all, {.heads = 4, .head_size = 2, .grid = grid});
        return b.node("mean", "mean_tokens", {y}, {{"skip", 1}});
      },
      x, 6, 5);
  check_side_by_side(
      [](auto& b, Value v) {
        return feed_forward(b, "y", v, {.inner = 7, .activation = "swiglu"});
      },
      x, 6);
  const at::Tensor tokens = at::arange(30).remainder(8).view({3, 2, 5});
  check_side_by_side(
      [](auto& b, Value v) {
        return b.node("mean", "mean_tokens",
                      {embedding(b, "y", v, 4, 8), b.node("mask", "token_mask", {v})});
      },
      tokens, 0);
}

TEST_CASE("dropout keeps the mean in training, and nothing happens otherwise") {
  const Piece piece([](auto& b, Value v) { return dropout(b, "y", v, 0.25); }, 6, 1);
  const at::Tensor x = at::ones({1, 50, 40, 6}, at::kDouble);
  CHECK(at::equal(piece(x, {}), x));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(2);
  const Mode training{.training = true, .random = &generator};
  const at::Tensor y = piece(x, {}, training);
  CHECK(y.mean().item<double>() == Approx(1).margin(0.03));
  CHECK(y.eq(0).to(at::kDouble).mean().item<double>() == Approx(0.25).margin(0.02));
  CHECK_FALSE(at::equal(y, piece(x, {}, training)));
  generator.set_current_seed(2);
  CHECK(at::equal(y, piece(x, {}, training)));
}
