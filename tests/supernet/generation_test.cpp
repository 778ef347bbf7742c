// Writing token by token: against the whole network, and beam search against a plain one.
#include "mosaic/supernet/scoring/generation.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/networks/supernet.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

constexpr std::int64_t kVocabulary = 23;

at::Tensor tokens(at::IntArrayRef sizes, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randint(5, kVocabulary, sizes, generator, at::kLong);
}

WeightSource weights_of(const Subnet& subnet) {
  return [&](const spaces::WeightRef& ref) { return subnet.weight(ref); };
}

spaces::Space translation_space() {
  return spaces::Space::make("hat-translation", spaces::translation_task(kVocabulary, 7, 6),
                             {{"encoder_layers", "3"}, {"decoder_layers", "2"}});
}

/// Sources of different lengths, padded.
at::Tensor sources() {
  at::Tensor source = tokens({3, 7}, 4);
  source[1].narrow(0, 4, 3).zero_();
  source[2].narrow(0, 6, 1).zero_();
  return source;
}

/// A plain beam search of one example, without a cache: every step runs the whole network.
std::vector<std::int64_t> plain_search(const Subnet& subnet, const at::Tensor& source,
                                       const tasks::Writing& how) {
  struct Hypothesis {
    std::vector<std::int64_t> tokens;
    double score;
  };
  std::vector<Hypothesis> open{{{how.begin}, 0}};
  std::vector<std::pair<double, std::vector<std::int64_t>>> finished;
  const auto most = static_cast<std::size_t>(
      std::floor(how.longest_ratio * static_cast<double>(source.ne(0).sum().item<std::int64_t>())) +
      static_cast<double>(how.longest_more));
  for (std::size_t length = 0; length <= most; ++length) {
    std::vector<Hypothesis> candidates;
    for (const auto& one : open) {
      const at::Tensor logits = subnet.forward(
          NamedTensors{{"source", source.unsqueeze(0)},
                       {"target", at::tensor(one.tokens, at::kLong).unsqueeze(0)}})[0][-1];
      const at::Tensor likely = logits.log_softmax(0);
      for (std::int64_t next = 0; next < kVocabulary; ++next) {
        if (next == 0 || next == how.begin) continue;
        if (next == how.end ? length == 0 : length == most) continue;
        Hypothesis longer = one;
        longer.tokens.push_back(next);
        longer.score += likely[next].item<float>();
        candidates.push_back(std::move(longer));
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    candidates.resize(
        std::min<std::size_t>(candidates.size(), 2 * static_cast<std::size_t>(how.beam)));
    open.clear();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      auto& one = candidates[i];
      if (one.tokens.back() == how.end) {
        if (i < static_cast<std::size_t>(how.beam) &&
            finished.size() < static_cast<std::size_t>(how.beam))
          finished.emplace_back(
              one.score / std::pow(static_cast<double>(length + 1), how.length_penalty),
              std::vector(one.tokens.begin() + 1, one.tokens.end() - 1));
      } else if (open.size() < static_cast<std::size_t>(how.beam)) {
        open.push_back(one);
      }
    }
    if (finished.size() >= static_cast<std::size_t>(how.beam)) break;
  }
  return std::max_element(finished.begin(), finished.end(),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

}  // namespace

TEST_CASE("step by step a network gives what it gives at once") {
  SECTION("encoder and decoder") {
    const auto space = translation_space();
    core::Stream stream(3, "networks");
    for (int i = 0; i < 4; ++i) {
      const auto genotype = i == 0 ? space.largest() : space.random(stream);
      const Subnet subnet = fresh_subnet(space, genotype, 5);
      INFO(space.text(genotype));
      const NamedTensors inputs{{"source", sources()}, {"target", tokens({3, 6}, 8)}};
      const at::Tensor whole = subnet.forward(inputs);
      StepwiseNetwork network(subnet.graph(), "target", weights_of(subnet));
      network.begin(inputs);
      for (std::int64_t at = 0; at < 6; ++at) {
        const at::Tensor logits = network.step(inputs[1].second.select(1, at));
        const at::Tensor expected = whole.select(1, at);
        CHECK((logits - expected).abs().max().item<double>() <=
              1e-5 * expected.abs().max().item<double>());
      }
    }
  }
  SECTION("a language model, learned or turned positions, groups of queries") {
    for (const std::string positions : {"learned", "rotary"}) {
      const auto space = spaces::Space::make("gpt", spaces::language_task(kVocabulary, 6),
                                             {{"layers", "2"}, {"positions", positions}});
      const Subnet subnet = fresh_subnet(space, space.largest(), 5);
      const at::Tensor given = tokens({3, 6}, 8);
      const at::Tensor whole = subnet.forward(given);
      StepwiseNetwork network(subnet.graph(), "tokens", weights_of(subnet));
      network.begin({});
      for (std::int64_t at = 0; at < 6; ++at)
        CHECK(at::allclose(network.step(given.select(1, at)), whole.select(1, at), 1e-5, 1e-5));
    }
  }
  SECTION("sequences change places") {
    const auto space = translation_space();
    const Subnet subnet = fresh_subnet(space, space.largest(), 5);
    StepwiseNetwork network(subnet.graph(), "target", weights_of(subnet));
    network.begin({{"source", sources()}}, 2);
    const at::Tensor first = tokens({6}, 1);
    network.step(first);
    network.take(at::tensor({1, 1, 2, 3, 5, 4}, at::kLong));
    const at::Tensor next = tokens({6}, 2);
    const at::Tensor found = network.step(next);
    const at::Tensor target =
        at::stack({first.index_select(0, at::tensor({1, 1, 2, 3, 5, 4}, at::kLong)), next}, 1);
    const at::Tensor whole = subnet.forward(
        NamedTensors{{"source", sources().repeat_interleave(2, 0)}, {"target", target}});
    CHECK(at::allclose(found, whole.select(1, 1), 1e-5, 1e-5));
  }
}

TEST_CASE("beam search finds what a plain one finds, of all examples at once") {
  const auto space = translation_space();
  for (const std::uint64_t seed : {5, 6}) {
    const Subnet fresh = fresh_subnet(space, space.largest(), seed);
    // Sharper than fresh weights are, so that ends come at different lengths.
    auto weights = fresh.weights();
    weights.at("embedding.weight") = weights.at("embedding.weight") * 2;
    weights.at("embedding.weight")[3] *= 2;
    const Subnet subnet(fresh.graph(), weights, {}, fresh.info());
    for (const double penalty : {0.0, 1.0})
      for (const std::int64_t beam : {1, 4}) {
        const tasks::Writing how{
            .input = "target", .beam = beam, .length_penalty = penalty, .longest_more = 3};
        StepwiseNetwork network(subnet.graph(), "target", weights_of(subnet));
        const at::Tensor written = write(network, {{"source", sources()}}, how);
        REQUIRE(written.size(0) == 3);
        for (std::int64_t i = 0; i < 3; ++i) {
          std::vector<std::int64_t> found;
          for (std::int64_t at = 0; at < written.size(1); ++at)
            if (const auto token = written[i][at].item<std::int64_t>(); token != 0)
              found.push_back(token);
          CHECK(found == plain_search(subnet, sources()[i], how));
        }
      }
  }
}
