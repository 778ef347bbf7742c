#include "mosaic/supernet/sampler.hpp"

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

/// The largest, the smallest and some random architectures each step (Yu & Huang 2019).
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

 private:
  const spaces::Space& space_;
  std::size_t random_;
  std::vector<spaces::Genotype> fixed_;
};

const core::Registered kUniform{
    samplers(), "uniform", "one architecture a step, every decision uniform",
    SamplerFactory([](const core::Call& call, const spaces::Space& space) {
      call.expect_only({});
      return std::make_unique<Uniform>(space);
    })};
const core::Registered kSandwich{
    samplers(), "sandwich", "largest, smallest and random=2 more architectures a step (by FLOPs)",
    SamplerFactory([](const core::Call& call, const spaces::Space& space) {
      const std::vector<std::string> known{"random"};
      call.expect_only(known);
      return std::make_unique<Sandwich>(space,
                                        static_cast<std::size_t>(call.integer("random", 2, 1, 64)));
    })};

}  // namespace

core::Registry<SamplerFactory>& samplers() {
  static core::Registry<SamplerFactory> registry("sampler");
  return registry;
}

std::unique_ptr<Sampler> make_sampler(const std::string& spec, const spaces::Space& space) {
  const core::Call call = core::parse_call(spec);
  return samplers().at(call.name)(call, space);
}

}  // namespace mosaic::supernet
