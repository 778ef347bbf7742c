// Training of supernets whose way of sharing draws which copy a step trains.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "engine/channels.hpp"
#include "mosaic/core/error.hpp"
#include "training/observers/observers.hpp"

namespace mosaic::supernet {
namespace {

class Draws : public Observer {
 public:
  Draws(std::span<Supernet* const> members, std::uint64_t seed)
      : members_(members.begin(), members.end()), seed_(seed) {}

  NamedTensors begin(const tasks::Task&) override {
    NamedTensors result;
    for (std::size_t i = 0; i < members_.size(); ++i)
      for (const auto& [name, tensor] : members_[i]->state())
        result.emplace_back(members_.size() > 1 ? name + "@" + std::to_string(i) : name, tensor);
    return result;
  }

  void before_step() override { trained_.reset(); }

  /// Draws for each member, from its own stream, and notes what this step trains.
  void before_pass(const Moment& now, const spaces::Genotype& genotype) override {
    std::vector<at::Tensor> rows;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      core::Stream stream(seed_ + 1000 * i, "experts", static_cast<std::uint64_t>(now.step));
      members_[i]->sharing().draw(genotype, stream);
      rows.push_back(members_[i]->sharing().drawn(members_[i]->device()));
    }
    const at::Tensor mask = at::stack(rows);
    trained_ = trained_.defined() ? at::maximum(trained_, mask) : mask;
  }

  at::Tensor trained() const override { return trained_; }

  void after_step(Trainee& trainee, const Moment& next,
                  std::span<const spaces::Genotype> architectures) override {
    at::NoGradGuard guard;
    const std::int64_t size = next.task.size(tasks::Split::validation);
    if (size == 0)
      throw core::UsageError(
          "this way of sharing learns from validation examples, and the task keeps none",
          "set [task] validation to a share, such as 0.5");
    const std::int64_t count = std::min(next.batch_size, size);
    const std::int64_t first = next.step % std::max<std::int64_t>(1, size / count) * count;
    const auto batch =
        next.task.batch({.split = tasks::Split::validation, .begin = first, .count = count});
    const NamedTensors inputs = repeated(batch.inputs, members_.size());
    const auto leading = next.task.metrics().at(0);
    // A share of what is right where the metric is one, else the metric as it is.
    const double scale = (leading.maximise ? 1 : -1) * (leading.unit == "%" ? 0.01 : 1);
    for (const auto& genotype : architectures) {
      const at::Tensor outputs =
          trainee.forward(genotype, inputs, {.norm = NormMode::batch, .training = true}).values[0];
      for (std::size_t i = 0; i < members_.size(); ++i) {
        const auto metric = leading.make();
        metric->add(outputs[static_cast<std::int64_t>(i)].to(at::kFloat), batch.targets);
        members_[i]->sharing().observe(genotype, scale * metric->result().value);
      }
    }
    if (next.ends_epoch())
      for (auto* member : members_) member->sharing().end_epoch(next.done());
  }

 private:
  std::vector<Supernet*> members_;
  std::uint64_t seed_;
  at::Tensor trained_;  ///< [members, m]
};

}  // namespace

std::unique_ptr<Observer> make_draws(std::span<Supernet* const> members, const Sampler& sampler,
                                     std::uint64_t seed) {
  if (!members[0]->sharing().drawn(members[0]->device()).defined()) return nullptr;
  if (sampler.per_step() != 1)
    throw core::UsageError("a way of sharing that draws copies trains one architecture a step",
                           "use a sampler of one, such as uniform");
  return std::make_unique<Draws>(members, seed);
}

}  // namespace mosaic::supernet
