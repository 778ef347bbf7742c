#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "engine/channels.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"

namespace mosaic::supernet {
namespace {

/// Networks with fixed weights, run side by side on the same images.
class Fixed {
 public:
  Fixed(const std::vector<const spaces::Graph*>& graphs, const std::vector<WeightSource>& sources)
      : program_(Program::compile(graphs, "forward", /*training=*/false)) {
    for (const auto& weight : program_.weights()) {
      std::vector<at::Tensor> rows;
      for (const int network : weight.networks)
        rows.push_back(sources[static_cast<std::size_t>(network)](weight.ref));
      weights_.push_back(at::stack(rows));
    }
  }

  /// [networks, batch, classes].
  at::Tensor operator()(const at::Tensor& images, NormMode mode, NormStats* stats) {
    const at::Tensor inputs = join_networks(std::vector<at::Tensor>(size(), images.unsqueeze(0)));
    return run(program_, {&inputs, 1}, weights_, {.norm = mode, .stats = stats}).values[0];
  }
  std::size_t size() const { return static_cast<std::size_t>(program_.networks()); }

 private:
  Program program_;
  std::vector<at::Tensor> weights_;  ///< parallel to program_.weights()
};

/// Convolutions in TF32, or not, as long as this lives.
class Tf32 {
 public:
  explicit Tf32(bool allowed) : before_(at::globalContext().allowTF32CuDNN()) {
    at::globalContext().setAllowTF32CuDNN(allowed);
  }
  ~Tf32() { at::globalContext().setAllowTF32CuDNN(before_); }
  Tf32(const Tf32&) = delete;
  Tf32& operator=(const Tf32&) = delete;

 private:
  bool before_;
};

std::vector<JointScore> score(Fixed networks, const std::string& device, const tasks::Task& task,
                              const JointScoring& scoring) {
  at::NoGradGuard guard;
  const Tf32 tf32(scoring.tf32);
  constexpr std::int64_t kBatch = 250, kImagesOnGpu = 8000;  // of all networks
  NormStats stats = calibrate(
      [&](const at::Tensor& inputs, NormStats* recorded) {
        return networks(inputs, NormMode::calibrate, recorded);
      },
      task, scoring.calibration);
  const std::int64_t size = task.size(scoring.split);
  const std::int64_t count = scoring.images > 0 ? std::min(scoring.images, size) : size;
  if (count == 0)
    throw core::Error(
        "task '" + task.name() + "' has no " + tasks::to_string(scoring.split) + " images",
        "give the task a folder with that split, or another share for validation");
  const std::int64_t at_once =
      device == "cpu" ? kBatch
                      : std::max(kBatch, kImagesOnGpu / static_cast<std::int64_t>(networks.size()));
  std::vector<at::Tensor> answers;
  at::Tensor correct, loss;  // of each network, summed over batches
  for (std::int64_t begin = 0; begin < count; begin += at_once) {
    const auto batch = task.batch(scoring.split, begin, std::min(at_once, count - begin));
    const at::Tensor logits = networks(batch.inputs, NormMode::stored, &stats).to(at::kFloat);
    answers.push_back(logits.argmax(2));
    std::vector<at::Tensor> right, losses;
    for (const auto& own : logits.unbind()) {
      right.push_back(task.correct(own, batch.targets).to(at::kDouble));
      losses.push_back(task.loss(own, batch.targets, 0.0).to(at::kDouble) * batch.targets.size(0));
    }
    correct = correct.defined() ? correct + at::stack(right) : at::stack(right);
    loss = loss.defined() ? loss + at::stack(losses) : at::stack(losses);
  }
  const at::Tensor all = at::cat(answers, 1).to(at::kByte).cpu();
  correct = correct.cpu();
  loss = loss.cpu();
  std::vector<JointScore> result(networks.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    result[i].score.images = count;
    result[i].score.accuracy = 100 * correct[row].item<double>() / static_cast<double>(count);
    result[i].score.loss = loss[row].item<double>() / static_cast<double>(count);
    result[i].answers = all[row].clone();
  }
  return result;
}

}  // namespace

std::vector<JointScore> score_supernets(std::span<Supernet* const> supernets,
                                        const spaces::Genotype& genotype, const tasks::Task& task,
                                        const JointScoring& scoring) {
  at::NoGradGuard guard;
  const spaces::Graph graph = supernets[0]->space().bind(genotype);
  std::vector<WeightSource> sources;
  for (const auto* supernet : supernets) sources.push_back(supernet->weights(genotype, graph));
  return score({std::vector<const spaces::Graph*>(supernets.size(), &graph), sources},
               supernets[0]->device(), task, scoring);
}

std::vector<JointScore> score_subnets(std::span<Subnet* const> subnets, const tasks::Task& task,
                                      const JointScoring& scoring) {
  std::vector<const spaces::Graph*> graphs;
  std::vector<WeightSource> sources;
  for (const auto* subnet : subnets) {
    graphs.push_back(&subnet->graph());
    sources.emplace_back(
        [subnet](const spaces::WeightRef& ref) { return subnet->weights().at(ref.slot); });
  }
  return score({graphs, sources}, subnets[0]->device(), task, scoring);
}

}  // namespace mosaic::supernet
