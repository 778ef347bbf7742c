#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {
namespace {

/// The largest, the smallest and some random architectures each step (Yu & Huang 2019, "Universally
/// slimmable networks"). Extremes are those of FLOPs, and of parameters where FLOPs tie: in a space
/// whose networks all have the same size they still differ.
class Sandwich : public Sampler {
 public:
  Sandwich(const spaces::Space& space, std::size_t random)
      : space_(space), random_(random), fixed_{space.largest(), space.smallest()} {}
  std::vector<spaces::Genotype> draw(core::Stream& stream) const override {
    auto result = fixed_;
    for (std::size_t i = 0; i < random_; ++i) result.push_back(space_.random(stream));
    return result;
  }
  std::size_t per_step() const override { return 2 + random_; }
  bool largest_first() const override { return true; }

 private:
  const spaces::Space& space_;
  std::size_t random_;
  std::vector<spaces::Genotype> fixed_;
};

const core::Registered kEntry{
    samplers(), "sandwich", "largest, smallest and random=2 more architectures a step (by FLOPs)",
    [](const core::Call& call, const spaces::Space& space) {
      call.expect_only({"random"});
      return std::make_unique<Sandwich>(space,
                                        static_cast<std::size_t>(call.integer("random", 2, 1, 64)));
    }};

}  // namespace
}  // namespace mosaic::supernet
