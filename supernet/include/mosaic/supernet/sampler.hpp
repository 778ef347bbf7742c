/// Samplers: which architectures a training step trains.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "mosaic/core/random.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::supernet {

class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Architectures of one step; their gradients are averaged. Depends on the stream alone.
  virtual std::vector<spaces::Genotype> draw(core::Stream& stream) const = 0;
  virtual std::size_t per_step() const = 0;
};

using SamplerFactory =
    std::function<std::unique_ptr<Sampler>(const core::Call& call, const spaces::Space& space)>;

/// "uniform", "sandwich(random=2)":
/// `const core::Registered kEntry{samplers(), "uniform", "what it does", factory};`
core::Registry<SamplerFactory>& samplers();
std::unique_ptr<Sampler> make_sampler(const std::string& spec, const spaces::Space& space);

}  // namespace mosaic::supernet
