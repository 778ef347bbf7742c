#include <algorithm>

#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {
namespace {

/// Strict fairness (Chu, Zhang & Xu 2021, "FairNAS", section 3): over the architectures of one step
/// every option of every decision is trained equally often, so that no option is ahead of another
/// by the luck of the draw. A step has m architectures, m being the most options of any decision;
/// each decision deals its options over them in random order, independently of the others. A
/// decision with k < m options takes each m / k times, and m mod k random ones once more. The
/// counts are of decisions as drawn: one that an architecture does not have trains nothing.
class Fair : public Sampler {
 public:
  explicit Fair(const spaces::Space& space) : space_(space) {
    for (const auto& gene : space.genes()) per_step_ = std::max(per_step_, gene.labels.size());
  }
  std::vector<spaces::Genotype> draw(core::Stream& stream) const override {
    std::vector<spaces::Genotype> result(per_step_);
    for (const auto& gene : space_.genes()) {
      const auto options = dealt(gene.labels.size(), stream);
      for (std::size_t i = 0; i < per_step_; ++i) result[i].push_back(options[i]);
    }
    for (auto& genotype : result) genotype = space_.canonical(std::move(genotype));
    return result;
  }
  std::size_t per_step() const override { return per_step_; }

 private:
  /// Each of `count` options per_step_ / count times, the rest of the places to random ones, in
  /// random order.
  std::vector<int> dealt(std::size_t count, core::Stream& stream) const {
    const auto order = stream.permutation(static_cast<int>(count));
    std::vector<int> result;
    while (result.size() < per_step_) result.push_back(order[result.size() % count]);
    stream.shuffle(result);
    return result;
  }

  const spaces::Space& space_;
  std::size_t per_step_ = 1;
};

const core::Registered kEntry{
    samplers(), "fair", "every option of every decision equally often within a step (FairNAS)",
    [](const core::Call& call, const spaces::Space& space) {
      call.expect_only({});
      return std::make_unique<Fair>(space);
    }};

}  // namespace
}  // namespace mosaic::supernet
