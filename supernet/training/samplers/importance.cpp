// Importance sampling of paths and data (Lu et al. 2023, "PA&DA: Jointly sampling path and data for
// consistent NAS"): what has larger gradients is sampled more often, which makes the variance of
// the supernet's gradient smaller.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {
namespace {

bool read_by(const spaces::Node& node, int gene) {
  if (node.condition.depends_on(gene)) return true;
  return std::any_of(node.weights.begin(), node.weights.end(), [&](const auto& use) {
    return std::any_of(use.extents.begin(), use.extents.end(),
                       [&](const auto& extent) { return extent.depends_on(gene); });
  });
}

/// Paths: each option o of a decision keeps a running norm of the gradient of the weights that it
/// brings, G_o <- (G_o + n_o) / 2, from 0 in every epoch, and is drawn by t G_o / sum(G) + (1 - t)
/// / options, where t is the share of the training that is done. Options without weights of their
/// own (a skip connection), or not drawn yet, count as the mean of the others. Data: g_i =
/// ||softmax(z_i)
/// - onehot(y_i)||, the mean over the visits of an example, and examples of the next epoch are
/// drawn with replacement by t g_i / sum(g) + (1 - t) / N; in the first epoch each comes once. As
/// in the paper, gradients are not weighted by the inverse of what was drawn.
class Importance : public Sampler {
 public:
  Importance(const spaces::Space& space, bool paths, bool data)
      : space_(space), paths_(paths), data_(data) {
    std::size_t most = 1;
    for (const auto& gene : space.genes()) most = std::max(most, gene.labels.size());
    norms_ = at::zeros(
        {static_cast<std::int64_t>(space.genes().size()), static_cast<std::int64_t>(most)},
        at::kFloat);
    const auto& graph = space.graph();
    for (int gene = 0; gene < static_cast<int>(space.genes().size()); ++gene) {
      nodes_.emplace_back();
      for (const auto& node : graph.nodes)
        if (!node.weights.empty() && read_by(node, gene)) nodes_.back().push_back(&node);
    }
  }

  std::size_t per_step() const override { return 1; }
  bool learns() const override { return true; }

  std::vector<spaces::Genotype> draw(core::Stream& stream) const override {
    spaces::Genotype genotype;
    for (std::size_t gene = 0; gene < space_.genes().size(); ++gene)
      genotype.push_back(static_cast<int>(stream.weighted(option_shares(gene))));
    return {space_.canonical(std::move(genotype))};
  }

  std::vector<std::pair<std::string, at::Tensor>> begin(std::int64_t examples) override {
    if (!errors_.defined() || errors_.numel() != examples) {
      errors_ = at::zeros({examples}, at::kFloat);
      visits_ = at::zeros({examples}, at::kFloat);
      shares_ = at::full({examples}, 1.0 / static_cast<double>(examples), at::kFloat);
    }
    return {{"norms", norms_},
            {"errors", errors_},
            {"visits", visits_},
            {"shares", shares_},
            {"done", done_}};
  }

  void observe(const spaces::Genotype& genotype, const std::vector<double>& norms) override {
    for (std::size_t gene = 0; gene < nodes_.size(); ++gene) {
      double squares = 0;
      for (const auto* node : nodes_[gene]) {
        if (node->condition.at(genotype) == 0) continue;
        for (const auto& use : node->weights) {
          const double norm = norms[static_cast<std::size_t>(use.slot)];
          squares += norm * norm;
        }
      }
      if (squares == 0) continue;
      at::Tensor known = norms_[static_cast<std::int64_t>(gene)][genotype[gene]];
      known.add_(std::sqrt(squares)).div_(2);
    }
  }

  void observe(const at::Tensor& examples, const at::Tensor& errors) override {
    errors_.index_add_(0, examples, errors.to(at::kFloat));
    visits_.index_add_(0, examples, at::ones_like(errors, at::kFloat));
  }

  void end_epoch(double done) override {
    done_.fill_(done);
    norms_.zero_();
    const auto examples = static_cast<double>(errors_.numel());
    at::Tensor mean = errors_ / visits_.clamp_min(1);
    const at::Tensor seen = visits_ > 0;  // examples that never came count as the others do
    mean = at::where(seen, mean, mean.sum() / seen.sum().clamp_min(1));
    const at::Tensor sum = mean.sum();
    shares_.copy_(sum.item<double>() > 0 ? done * mean / sum + (1 - done) / examples
                                         : at::full_like(mean, 1 / examples));
    drawn_.clear();
  }

  at::Tensor examples(std::int64_t epoch, std::int64_t order) const override {
    if (!data_ || !errors_.defined()) return {};  // not begun: each once
    auto& [number, drawn] = drawn_[order];
    if (drawn.defined() && number == epoch) return drawn;
    number = epoch;
    const std::int64_t examples = errors_.numel();
    core::Stream stream(static_cast<std::uint64_t>(order), "examples",
                        static_cast<std::uint64_t>(epoch));
    std::vector<std::int64_t> result(static_cast<std::size_t>(examples));
    if (epoch == 0) {
      result = stream.permutation(examples);
    } else {
      const at::Tensor sums = shares_.to(at::kDouble).cumsum(0).contiguous();
      const double* upto = sums.data_ptr<double>();
      for (auto& example : result)
        example = std::min(
            examples - 1,
            std::upper_bound(upto, upto + examples, stream.uniform() * upto[examples - 1]) - upto);
    }
    return drawn = at::tensor(result, at::kLong);
  }

 private:
  std::vector<double> option_shares(std::size_t gene) const {
    const std::size_t options = space_.genes()[gene].labels.size();
    const auto n = static_cast<double>(options);
    std::vector<double> norms;
    double sum = 0, known = 0;
    for (std::size_t option = 0; option < options; ++option) {
      norms.push_back(norms_[static_cast<std::int64_t>(gene)][static_cast<std::int64_t>(option)]
                          .item<double>());
      sum += norms.back();
      known += norms.back() > 0 ? 1 : 0;
    }
    const double done = paths_ && known > 0 ? static_cast<double>(done_.item<float>()) : 0.0;
    double all = 0;
    for (double& norm : norms) {
      if (norm == 0) norm = known > 0 ? sum / known : 1.0;
      all += norm;
    }
    for (double& norm : norms) norm = done * norm / all + (1 - done) / n;
    return norms;
  }

  const spaces::Space& space_;
  bool paths_, data_;
  std::vector<std::vector<const spaces::Node*>> nodes_;  ///< with weights, by the gene they read
  at::Tensor norms_;                                     ///< G: [genes, most options]
  at::Tensor errors_, visits_, shares_;                  ///< of examples
  at::Tensor done_ = at::zeros({1});
  mutable std::map<std::int64_t, std::pair<std::int64_t, at::Tensor>> drawn_;  ///< by order
};

const core::Registered kEntry{
    samplers(), "importance",
    "PA&DA: options and examples with larger gradients more often (paths=1, data=1: 0 is uniform)",
    [](const core::Call& call, const spaces::Space& space) {
      call.expect_only({"paths", "data"});
      return std::make_unique<Importance>(space, call.integer("paths", 1, 0, 1) == 1,
                                          call.integer("data", 1, 0, 1) == 1);
    }};

}  // namespace
}  // namespace mosaic::supernet
