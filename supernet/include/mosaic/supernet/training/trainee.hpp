/// What can be trained: some networks side by side, one or many. A small network leaves a GPU idle;
/// many of them, their layers grouped, fill it. The result of each is that of training it alone, up
/// to rounding.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mosaic/supernet/engine/executor.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/training/settings.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::supernet {

/// A trained tensor of the networks that have it: [rows, ...].
struct Parameter {
  std::string name;  ///< of the tensor in each of these networks
  at::Tensor value;
  std::vector<int> networks;  ///< of each row, ascending
  int slot = -1;              ///< of the SuperGraph, whose copies it holds; -1: none
  bool decays = false;        ///< does weight decay apply?
  double rate = 1;            ///< its learning rate, as a share of the settings'
  /// Where one network computes with its own tensor, of which `value` is a view: that tensor, which
  /// autograd is asked for. Undefined: `value` itself.
  at::Tensor leaf = {};
  /// What it is called in checkpoints of so many networks: its name, and whose it is unless it is
  /// everybody's.
  std::string label(std::size_t of_networks) const;
};

class Trainee;
struct WeightSources;  // engine/mixing.hpp

/// A moment of training, before the step of that number.
struct Moment {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  std::int64_t per_epoch = 1;
  std::int64_t batch_size = 0;
  const tasks::Task& task;
  const TrainSettings& settings;

  bool ends_epoch() const { return step % per_epoch == 0; }
  double done() const { return static_cast<double>(step) / static_cast<double>(steps); }
};

/// What a step found, before it is taken: the parameters hold the gradients.
struct Findings {
  const Moment& now;
  std::span<const spaces::Genotype> architectures;
  /// tasks::Task::output_gradient_norms() of every example: float32 [networks, batch]; undefined
  /// where nobody asked.
  at::Tensor norms;
};

/// Takes part in a training, from what its sampler or its way of sharing weights needs: balanced
/// draws, importance sampling, growth, splits. Everything is optional.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Before the first step. Returns what it changes by itself, for checkpoints; on the CPU.
  virtual NamedTensors begin(const tasks::Task&) { return {}; }
  /// Before a step, and before each of its passes.
  virtual void before_step() {}
  virtual void before_pass(const Moment&, const spaces::Genotype&) {}
  /// Are Findings::norms needed?
  virtual bool asks_for_norms() const { return false; }
  virtual void found(const Trainee&, const Findings&) {}
  /// The copies that this step trains, as a mask of their axis [networks, m]; the others keep
  /// weights and optimiser state. Undefined: all.
  virtual at::Tensor trained() const { return {}; }
  /// After a step.
  virtual void after_step(Trainee&, const Moment& /*next*/,
                          std::span<const spaces::Genotype> /*architectures*/) {}
  /// Examples that an epoch trains in an order (Sampler::examples()); undefined: each once.
  virtual at::Tensor examples(std::int64_t /*epoch*/, std::int64_t /*order*/) const { return {}; }

  /// Shares of the steps at which the structure may change, ascending.
  virtual std::vector<double> restructures_at() const { return {}; }
  /// Passes of an example that a network spends on choosing, all moments together: the training is
  /// that much shorter.
  virtual double cost_of_restructuring() const { return 0; }
  /// Does the learning rate start anew after the last of them?
  virtual bool restarts() const { return false; }
  /// The structure to go on with (Trainee::structure()) after the moment of this number.
  virtual std::string restructuring(Trainee&, const Moment&, std::size_t /*index*/) { return {}; }
};

class Trainee {
 public:
  virtual ~Trainee() = default;
  Trainee(const Trainee&) = delete;
  Trainee& operator=(const Trainee&) = delete;

  const std::string& device() const { return device_; }
  /// The order in which each network sees the data: networks of one number see the same batches.
  const std::vector<std::int64_t>& orders() const { return orders_; }
  std::size_t networks() const { return orders_.size(); }
  /// Until restructure(), always the same tensors.
  virtual const std::vector<Parameter>& parameters() const { return parameters_; }
  virtual std::span<const std::unique_ptr<Observer>> observers() const { return observers_; }
  /// Adds one, asked after those that are there; null: none.
  void observe_by(std::unique_ptr<Observer> observer) {
    if (observer) observers_.push_back(std::move(observer));
  }
  /// Of what ops draw.
  std::uint64_t seed() const { return seed_; }
  /// A network that all learn from (TrainSettings::distill), on the same device; null: none.
  const Subnet* teacher() const { return teacher_.get(); }
  void learn_from(std::shared_ptr<const Subnet> teacher) { teacher_ = std::move(teacher); }

  /// Architectures of a step; its gradient is the mean over them. A fixed network has one.
  virtual std::vector<spaces::Genotype> draw(std::int64_t /*step*/) { return {{}}; }
  /// Sampler::largest_first() of what is drawn.
  virtual bool largest_first() const { return false; }
  /// Inputs [networks, batch, ...] of the entry point "forward".
  virtual Outputs forward(const spaces::Genotype& genotype, const Inputs& inputs, const Mode& mode);
  /// What computes that.
  virtual std::shared_ptr<const Program> program(const spaces::Genotype& genotype,
                                                 const Mode& mode) = 0;
  /// What the program computes with, parallel to its weights.
  virtual std::vector<at::Tensor> weights(const spaces::Genotype& genotype, const Program& program,
                                          const Mode& mode) = 0;
  /// What these are made of, where that is copies among parameters(); null: it is not.
  virtual std::shared_ptr<const WeightSources> sources(const spaces::Genotype&, const Program&,
                                                       const Mode&) {
    return {};
  }
  /// Has it sources(), and more architectures than come again soon? A GPU records their blocks
  /// then.
  virtual bool by_blocks() const { return false; }
  /// Passes of one key run the same kernels on the same tensors: a GPU records them once and
  /// replays them.
  virtual std::string key(const spaces::Genotype&) const { return "all"; }
  /// What such a pass reads beside parameters and inputs: a recording keeps it alive.
  virtual std::shared_ptr<const void> hold(const spaces::Genotype&) const { return {}; }

  /// How weights are shared, as text, where that changes while they are trained; checkpoints carry
  /// it.
  virtual std::string structure() const { return {}; }
  /// Takes on a structure: the parameters are replaced. Returns for each network where its own come
  /// from.
  virtual std::vector<Heritage> restructure(const std::string& structure);

 protected:
  Trainee(std::string device, std::vector<std::int64_t> orders, std::uint64_t seed)
      : device_(std::move(device)), orders_(std::move(orders)), seed_(seed) {}

  std::string device_;
  std::vector<std::int64_t> orders_;
  std::uint64_t seed_;
  std::vector<Parameter> parameters_;
  std::vector<std::unique_ptr<Observer>> observers_;

 private:
  std::shared_ptr<const Subnet> teacher_;
};

/// Supernets of one space and one way of sharing, on one device, which all train the same
/// architectures step by step (drawn from `seed`). One that grows or splits does so on the way: the
/// supernets are restructured. `orders`: see Trainee; empty: one order. The supernets' tensors
/// become views of the trainee's: do not move them to another device while it is in use.
std::unique_ptr<Trainee> supernet_trainee(std::span<Supernet* const> supernets,
                                          const TrainSettings& settings, std::uint64_t seed,
                                          std::vector<std::int64_t> orders = {});
std::unique_ptr<Trainee> supernet_trainee(Supernet& supernet, const TrainSettings& settings,
                                          std::uint64_t seed);

/// Extracted or fresh subnets of one space, each with its own architecture, on one device.
std::unique_ptr<Trainee> subnet_trainee(std::span<Subnet* const> subnets,
                                        std::vector<std::int64_t> orders = {});
std::unique_ptr<Trainee> subnet_trainee(Subnet& subnet);

}  // namespace mosaic::supernet
