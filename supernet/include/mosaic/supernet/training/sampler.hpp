/// Samplers: which architectures a training step trains.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/core/random.hpp"
#include "mosaic/core/registry.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::supernet {

class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Architectures of one step; their gradients are averaged. Depends on the stream alone, and on
  /// what has been learned.
  virtual std::vector<spaces::Genotype> draw(core::Stream& stream) const = 0;
  virtual std::size_t per_step() const = 0;
  /// Is the first of each step the largest network of the space? It can teach the others.
  virtual bool largest_first() const { return false; }

  /// Does it learn from training?
  virtual bool learns() const { return false; }
  /// Before training on a split of so many examples. Returns what it will learn, by name, for
  /// checkpoints; on the CPU.
  virtual std::vector<std::pair<std::string, at::Tensor>> begin(std::int64_t /*examples*/) {
    return {};
  }
  /// After a step: an architecture, and the norm of its gradient in each slot of the SuperGraph (0
  /// where it lacks the slot).
  virtual void observe(const spaces::Genotype&, const std::vector<double>& /*norms*/) {}
  /// After a step: which examples it saw (int64 [n]), and tasks::Task::output_gradient_norms() of
  /// each.
  virtual void observe(const at::Tensor& /*examples*/, const at::Tensor& /*errors*/) {}
  /// `done`: share of the training.
  virtual void end_epoch(double /*done*/) {}
  /// Examples that an epoch trains in the given order (tasks::Selection::order), int64 [examples];
  /// undefined: each once.
  virtual at::Tensor examples(std::int64_t /*epoch*/, std::int64_t /*order*/) const { return {}; }
};

using SamplerFactory =
    std::function<std::unique_ptr<Sampler>(const core::Call& call, const spaces::Space& space)>;

/// "uniform", "sandwich(random=2)":
/// `const core::Registered kEntry{samplers(), "uniform", "what it does", factory};`
core::Registry<SamplerFactory>& samplers();
std::unique_ptr<Sampler> make_sampler(const std::string& spec, const spaces::Space& space);

}  // namespace mosaic::supernet
