// Training of routers that draw which expert a step trains.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "mosaic/core/error.hpp"
#include "training/structure.hpp"

namespace mosaic::supernet {
namespace {

struct Draws {
  std::vector<Supernet*> members;
  std::vector<spaces::Genotype> genotypes;  ///< of the step
  at::Tensor trained;                       ///< [members, m]

  /// Draws for each member, from its own stream, and notes what this step trains.
  void draw(const spaces::Genotype& genotype, std::uint64_t seed, std::int64_t step) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      core::Stream stream(seed + 1000 * i, "experts", static_cast<std::uint64_t>(step));
      members[i]->router().draw(genotype, stream);
    }
    const at::Tensor mask = drawn();
    trained = trained.defined() ? at::maximum(trained, mask) : mask.clone();
  }

  at::Tensor drawn() const {
    std::vector<at::Tensor> rows;
    for (const auto* member : members) rows.push_back(member->router().drawn(member->device()));
    return at::stack(rows);
  }
};

}  // namespace

void add_draws(Trainee& trainee, std::span<Supernet* const> members,
               std::shared_ptr<Sampler> sampler, const PassOf& pass_of, std::uint64_t seed) {
  if (!members[0]->router().drawn(members[0]->device()).defined()) return;
  const bool joint = !trainee.orders.empty();
  if (sampler->per_step() != 1)
    throw core::UsageError("a router that draws experts trains one architecture a step",
                           "use a sampler of one, such as uniform");
  const auto draws = std::make_shared<Draws>();
  draws->members.assign(members.begin(), members.end());
  trainee.state = [draws, joint](const tasks::Task&) {
    NamedTensors result;
    for (std::size_t i = 0; i < draws->members.size(); ++i)
      for (const auto& [name, tensor] : draws->members[i]->state())
        result.emplace_back(joint ? name + "@" + std::to_string(i) : name, tensor);
    return result;
  };
  trainee.passes = [draws, sampler, pass_of, seed](std::int64_t step) {
    core::Stream stream(seed, "sampler", static_cast<std::uint64_t>(step));
    draws->genotypes = sampler->draw(stream);
    draws->trained.reset();
    std::vector<Pass> result;
    for (const auto& genotype : draws->genotypes) {
      result.push_back(pass_of(genotype));
      result.back().prepare = [draws, genotype, seed, step] { draws->draw(genotype, seed, step); };
    }
    return result;
  };
  trainee.trained = [draws, joint] { return joint ? draws->trained : draws->trained[0]; };
  trainee.after = [draws, pass_of, joint](const Turn& next) {
    at::NoGradGuard guard;
    const std::int64_t size = next.task.size(tasks::Split::validation);
    if (size == 0)
      throw core::UsageError("this router learns from validation images, and the task keeps none",
                             "set [task] validation to a share, such as 0.5");
    const std::int64_t count = std::min(next.batch_size, size);
    const std::int64_t first = next.step % std::max<std::int64_t>(1, size / count) * count;
    const auto batch = next.task.batch(tasks::Split::validation, first, count);
    const auto copies = static_cast<std::int64_t>(draws->members.size());
    for (const auto& genotype : draws->genotypes) {
      const at::Tensor inputs =
          joint ? at::cat(std::vector<at::Tensor>(draws->members.size(), batch.inputs), 1)
                : batch.inputs;
      const at::Tensor logits = pass_of(genotype).forward(inputs).view({copies, count, -1});
      const at::Tensor right =
          logits.argmax(2).eq(batch.targets).to(at::kDouble).mean(1).cpu().contiguous();
      for (std::size_t i = 0; i < draws->members.size(); ++i)
        draws->members[i]->router().observe(genotype,
                                            right[static_cast<std::int64_t>(i)].item<double>());
    }
    if (next.step % next.per_epoch == 0)
      for (auto* member : draws->members)
        member->router().end_epoch(static_cast<double>(next.step) /
                                   static_cast<double>(next.steps));
  };
}

}  // namespace mosaic::supernet
