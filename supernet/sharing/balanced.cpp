// Balanced mixture of supernets (Roshtkhari et al. 2023, "Balanced Mixture of SuperNets for
// Learning the CNN Pooling Architecture"): several whole supernets; each step trains one of them,
// drawn for the architecture by how well it did with it so far, and all are kept equally busy.
#include <ATen/ATen.h>

#include <cmath>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"

namespace mosaic::supernet {
namespace {

constexpr double kMostArchitectures = 100'000;

/// P(m|c) = softmax_m(A[c, m] / T) / d_m, rows normalised again; A: running accuracies, that begin
/// at 1; 1/T rises from 1 to 100; d: what makes the models' marginals equal. Evaluation takes
/// argmax_m P(m|c).
class Balanced : public Sharing {
 public:
  Balanced(const spaces::SuperGraph& graph, std::int64_t models)
      : slots_(graph.slots.size()), models_(models) {
    for (const auto& gene : graph.genes) options_.push_back(gene.labels.size());
    double count = 1;
    for (const auto options : options_) count *= static_cast<double>(options);
    if (count > kMostArchitectures)
      throw core::UsageError(
          "the balanced mixture keeps an accuracy of every architecture, and the "
          "space has " +
              core::human_count(count),
          "use another way of sharing for spaces of more than 100,000");
    accuracies_ = at::ones({static_cast<std::int64_t>(count), models_});
    divisors_ = at::ones({models_});
    sharpness_ = at::ones({1});
  }

  std::int64_t copies(std::size_t) const override { return models_; }

  at::Tensor bias(const spaces::Space& space, const spaces::Genotype& genotype) const override {
    return at::full({1}, static_cast<double>(row(space.canonical(genotype))), at::kFloat);
  }

  Mixes coefficients(const at::Tensor& encodings, const at::Tensor& biases,
                     bool training) const override {
    if (models_ == 1) return Mixes::none(slots_);
    at::Tensor mix;
    if (training) {
      mix = drawn(encodings.device().str()).expand({encodings.size(0), models_});
    } else {
      const at::Tensor rows = biases.reshape({-1}).cpu().to(at::kLong);
      mix = at::one_hot(probabilities(accuracies_.index_select(0, rows)).argmax(1), models_)
                .to(encodings.options());
    }
    return {{mix}, std::vector<int>(slots_, 0)};
  }

  NamedParameters parameters() const override { return {}; }
  NamedParameters state() const override {
    return {{"accuracies", accuracies_}, {"divisors", divisors_}, {"sharpness", sharpness_}};
  }

  void draw(const spaces::Genotype& genotype, core::Stream& stream) override {
    const at::Tensor shares =
        probabilities(accuracies_.narrow(0, row(genotype), 1))[0].contiguous();
    model_ = static_cast<std::int64_t>(
        stream.weighted({shares.data_ptr<double>(), static_cast<std::size_t>(models_)}));
    if (drawn_.defined()) drawn_.copy_(one_hot());
  }

  at::Tensor drawn(const std::string& device) const override {
    if (models_ == 1) return {};
    // Recorded passes read it: it must stay the same tensor ("cuda" is "cuda:0").
    if (const at::Device wanted(device);
        !drawn_.defined() || drawn_.device().type() != wanted.type())
      drawn_ = one_hot().to(wanted);
    return drawn_;
  }

  void observe(const spaces::Genotype& genotype, double accuracy) override {
    at::Tensor known = accuracies_[row(genotype)][model_];
    known.mul_(0.9).add_(0.1 * accuracy);
  }

  void end_epoch(double done) override {
    constexpr double kClose = 1e-4;
    constexpr int kMostRounds = 10'000;
    sharpness_.fill_(1 + 99 * done);
    divisors_.fill_(1);
    for (int round = 0; round < kMostRounds; ++round) {
      const at::Tensor marginals = probabilities(accuracies_).mean(0);
      const double divergence =
          (marginals * (marginals * static_cast<double>(models_)).log()).sum().item<double>();
      if (divergence < kClose) return;
      divisors_.mul_((marginals * static_cast<double>(models_)).to(at::kFloat));
    }
  }

 private:
  std::int64_t row(const spaces::Genotype& genotype) const {
    std::int64_t result = 0;
    for (std::size_t gene = 0; gene < options_.size(); ++gene)
      result = result * static_cast<std::int64_t>(options_[gene]) + genotype[gene];
    return result;
  }

  /// Of the model that was drawn: float32 [models].
  at::Tensor one_hot() const {
    return at::one_hot(at::full({}, model_, at::kLong), models_).to(at::kFloat);
  }

  /// P(m|c) of some rows of the accuracies: float64 [rows, models].
  at::Tensor probabilities(const at::Tensor& accuracies) const {
    const at::Tensor shares =
        at::softmax(accuracies.to(at::kDouble) * sharpness_.to(at::kDouble), 1) /
        divisors_.to(at::kDouble);
    return shares / shares.sum(1, true);
  }

  std::size_t slots_;
  std::int64_t models_;
  std::vector<std::size_t> options_;
  at::Tensor accuracies_;  ///< [architectures, models]
  at::Tensor divisors_;    ///< [models]
  at::Tensor sharpness_;   ///< 1/T
  std::int64_t model_ = 0;
  mutable at::Tensor drawn_;
};

const core::Registered kEntry{
    sharing_kinds(), "balanced",
    "balanced mixture: whole supernets, each step trains the one that suits the architecture",

    [](const spaces::SuperGraph& graph, std::size_t, const SharingSettings& settings,
       std::uint64_t) { return std::make_unique<Balanced>(graph, settings.copies); }};

}  // namespace
}  // namespace mosaic::supernet
