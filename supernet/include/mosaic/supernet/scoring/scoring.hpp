/// Statistics of normalisation and scores of networks with given weights.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// Statistics of every normalisation layer from so many training examples in batches of 256, varied
/// as the first epoch has them: what the weights were trained on. (Plain images have other
/// statistics, and cost points of accuracy: bench/README.md.) Inherited weights see other
/// activations in every architecture, so statistics accumulated while training mean nothing for one
/// of them: each architecture is calibrated before it is scored or extracted (as in Yu & Huang
/// 2019, "Universally slimmable networks", and Once-for-All). Without normalisation layers there is
/// nothing to do, and `forward` is not called.
NormStats calibrate(const std::function<void(const NamedTensors&, NormStats*)>& forward,
                    const spaces::Graph& graph, const tasks::Task& task, std::int64_t examples);

/// tasks::all_metrics() by name.
using Score = std::map<std::string, tasks::Estimate>;

/// Over the first `examples` of a split (0: all); `forward` gives outputs [batch, ...]. Metrics of
/// what a network writes are left out. Throws core::Error where the split has none.
Score evaluate(const std::function<at::Tensor(const NamedTensors&)>& forward,
               const tasks::Task& task, tasks::Split split, std::int64_t examples,
               std::int64_t batch_size = 500);
/// With the statistics that it has, by all metrics, or but for those of what it writes.
Score evaluate(const Subnet& subnet, const tasks::Task& task, tasks::Split split,
               bool written = true);

/// What to score networks on.
struct Scoring {
  tasks::Split split = tasks::Split::validation;
  std::int64_t examples = 0;       ///< of the split; 0: all
  std::int64_t calibration = 512;  ///< training examples for statistics of normalisation
  /// On a GPU: "float32"; "tf32" rounds what convolutions multiply to 10 bits of mantissa: narrow
  /// networks are scored several times as fast, and scores differ in the third digit; "bfloat16"
  /// rounds what any product multiplies to 8 bits, as training does.
  std::string precision = "float32";
  /// Metrics that are asked for; those of what a network writes are computed for none else. Empty:
  /// all but those.
  std::vector<std::string> metrics = {};
  std::int64_t batch_size = 0;  ///< examples at once, at most; 0: as suits the device
};

/// Of figures of this precision, for their fidelity: nothing for float32, ", in bfloat16".
std::string precision_text(const std::string& precision);

/// What became of an architecture that was to be scored.
struct Scored {
  std::vector<Score> scores = {};  ///< of each supernet
  std::exception_ptr error = {};   ///< why there are none
  double seconds = 0;              ///< that it took
  double host_seconds = 0;         ///< of these, until its kernels were launched
};

/// Scores many architectures with the weights of supernets of one space and one way of sharing,
/// each calibrated and judged as calibrate() and evaluate() do. They go through the same batches in
/// groups, without a wait for the device between them, block by block: on a GPU blocks that come
/// again are recorded, and their recordings serve for as long as the supernets keep their tensors,
/// whatever these hold.
class Scorer {
 public:
  /// All of these must live as long as this. Of several supernets the tensors become views of those
  /// that they share, as in training. `record`: false for tests.
  Scorer(std::span<Supernet* const> supernets, const tasks::Task& task, Scoring scoring,
         bool record = true);
  ~Scorer();
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  /// Called with the index of an architecture, in order, as soon as its group is done: that takes
  /// about a second, or one architecture. Throws core::Interrupted between two of them.
  using Sink = std::function<void(std::size_t, const Scored&)>;
  void operator()(std::span<const spaces::Genotype> genotypes, const Sink& sink);

  /// Blocks that are recorded.
  std::size_t recorded() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

/// Calibrates and scores several networks side by side, each as calibrate() and evaluate() would.
std::vector<Score> score_supernets(std::span<Supernet* const> supernets,
                                   const spaces::Genotype& genotype, const tasks::Task& task,
                                   const Scoring& scoring);
std::vector<Score> score_subnets(std::span<Subnet* const> subnets, const tasks::Task& task,
                                 const Scoring& scoring);

}  // namespace mosaic::supernet
