#include "mosaic/supernet/training/sampler.hpp"

namespace mosaic::supernet {
namespace {

/// One architecture a step, every gene uniform (Guo et al. 2020, "Single path one-shot").
class Uniform : public Sampler {
 public:
  explicit Uniform(const spaces::Space& space) : space_(space) {}
  std::vector<spaces::Genotype> draw(core::Stream& stream) const override {
    return {space_.random(stream)};
  }
  std::size_t per_step() const override { return 1; }

 private:
  const spaces::Space& space_;
};

const core::Registered kEntry{samplers(), "uniform",
                              "one architecture a step, every decision uniform",
                              [](const core::Call& call, const spaces::Space& space) {
                                call.expect_only({});
                                return std::make_unique<Uniform>(space);
                              }};

}  // namespace
}  // namespace mosaic::supernet
