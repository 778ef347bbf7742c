#include "training/gradient.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <unordered_set>

#ifdef MOSAIC_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace mosaic::supernet {
namespace {

/// Forward passes run in bfloat16 while it lives (GPU only); master weights stay float32.
class Autocast {
 public:
  explicit Autocast(bool on) : on_(on) {
    if (!on_) return;
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
  }
  ~Autocast() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_;
};

/// The leaves that a result was computed from.
std::unordered_set<const void*> leaves_of(const at::Tensor& result) {
  std::unordered_set<const void*> leaves;
  std::unordered_set<const torch::autograd::Node*> seen;
  std::vector<const torch::autograd::Node*> open{result.grad_fn().get()};
  while (!open.empty()) {
    const auto* node = open.back();
    open.pop_back();
    if (node == nullptr) continue;
    if (const auto* leaf = dynamic_cast<const torch::autograd::AccumulateGrad*>(node))
      leaves.insert(leaf->variable.unsafeGetTensorImpl());
    for (const auto& edge : node->next_edges())
      if (seen.insert(edge.function.get()).second) open.push_back(edge.function.get());
  }
  return leaves;
}

/// Gradients of the loss, parallel to the parameters; undefined where it does not depend on one.
/// Autograd is asked for those alone that it depends on: a mixture has thousands of others, and
/// looking them all up takes longer than the pass.
std::vector<at::Tensor> gradients_of(const at::Tensor& loss, const NamedTensors& parameters) {
  const auto leaves = leaves_of(loss);
  std::vector<at::Tensor> used, result(parameters.size());
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (leaves.contains(parameters[i].second.unsafeGetTensorImpl())) {
      used.push_back(parameters[i].second);
      places.push_back(i);
    }
  if (used.empty()) return result;
  const auto found = torch::autograd::grad({loss}, used, {}, std::nullopt, false, true);
  // The optimiser's fused kernels walk weights and gradients in one order.
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i].defined()) result[places[i]] = found[i].contiguous();
  return result;
}

}  // namespace

void PassResult::add(const PassResult& other, bool more) {
  if (!loss.defined()) {
    *this = other;
    if (!more) return;
    loss = loss.clone();
    correct = correct.clone();
    for (auto& gradient : gradients)
      if (gradient.defined()) gradient = gradient.clone();
    return;
  }
  errors = other.errors;
  loss = loss + other.loss;
  correct = correct + other.correct;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!other.gradients[i].defined()) continue;
    gradients[i] = gradients[i].defined() ? gradients[i] + other.gradients[i] : other.gradients[i];
  }
}

void PassResult::give(const NamedTensors& parameters) const {
  for (std::size_t i = 0; i < gradients.size(); ++i)
    at::Tensor(parameters[i].second).mutable_grad() = gradients[i];
}

#ifdef MOSAIC_CUDA

/// A pass as a CUDA graph, with the tensors it reads and writes. Recorded passes share their
/// memory: they run one after the other.
class RecordedPass {
 public:
  template <class Compute>
  RecordedPass(const Pass& pass, const tasks::Batch& batch, at::cuda::MempoolId_t pool,
               const Compute& compute)
      : held_(pass.held), batch_{batch.inputs.clone(), batch.targets.clone()} {
    const auto stream = at::cuda::getStreamFromPool(/*isHighPriority=*/false);
    const c10::cuda::CUDAStreamGuard guard(stream);
    c10::cuda::device_synchronize();
    (void)compute(batch_);  // loads kernels and makes workspaces, which a recording must not do
    c10::cuda::device_synchronize();
    graph_.capture_begin(pool);
    try {
      result_ = compute(batch_);
    } catch (...) {
      graph_.capture_end();
      throw;
    }
    graph_.capture_end();
    c10::cuda::device_synchronize();
  }

  PassResult replay(const tasks::Batch& batch) {
    batch_.inputs.copy_(batch.inputs);
    batch_.targets.copy_(batch.targets);
    graph_.replay();
    return result_;
  }

 private:
  std::shared_ptr<const void> held_;
  tasks::Batch batch_;
  at::cuda::CUDAGraph graph_;
  PassResult result_;
};

#else

class RecordedPass {};

#endif

void release_unused_memory([[maybe_unused]] const std::string& device) {
#ifdef MOSAIC_CUDA
  if (device != "cpu") c10::cuda::CUDACachingAllocator::emptyCache();
#endif
}

bool uses_bfloat16(const TrainSettings& settings, const std::string& device) {
  return settings.precision == "bfloat16" || (settings.precision == "auto" && device != "cpu");
}

Gradients::Gradients(const Trainee& trainee, const tasks::Task& task,
                     const GradientSettings& settings)
    : trainee_(trainee), task_(task), settings_(settings) {}
Gradients::~Gradients() { forget(); }

void Gradients::forget() {
  const bool any = !recorded_.empty();
  recorded_.clear();
  seen_.clear();
  if (any) release_unused_memory(trainee_.device);
}

bool Gradients::stop_recording() {
  const bool any = !recorded_.empty();
  forget();
  settings_.replay = false;
  return any;
}

PassResult Gradients::run(const Pass& pass, const tasks::Batch& batch, double share) {
  if (pass.prepare) pass.prepare();
#ifdef MOSAIC_CUDA
  constexpr std::size_t kMostRecorded = 128;
  if (settings_.replay && trainee_.device != "cpu" && !pass.key.empty()) {
    const std::string key =
        pass.key + " x " + std::to_string(share) + " x " + std::to_string(batch.inputs.size(0));
    if (const auto found = recorded_.find(key); found != recorded_.end())
      return found->second->replay(batch);
    if (recorded_.size() < kMostRecorded && ++seen_[key] == 2) {
      if (recorded_.empty()) pool_ = at::cuda::graph_pool_handle();
      auto& made = recorded_[key];
      made = std::make_unique<RecordedPass>(pass, batch, pool_, [&](const tasks::Batch& fixed) {
        return compute(pass, fixed, share);
      });
      return made->replay(batch);
    }
  }
#endif
  return compute(pass, batch, share);
}

PassResult Gradients::compute(const Pass& pass, const tasks::Batch& batch, double share) const {
  const auto networks = static_cast<double>(std::max<std::size_t>(1, trainee_.orders.size()));
  PassResult result;
  at::Tensor loss;
  {
    const Autocast autocast(settings_.bfloat16);
    at::Tensor logits = pass.forward(batch.inputs).to(at::kFloat);
    at::Tensor targets = batch.targets;
    if (!trainee_.orders.empty()) {
      logits = logits.flatten(0, 1);
      targets = targets.flatten();
    }
    // The mean over a network's images, summed over networks: each has the gradient of its own
    // loss.
    loss = task_.loss(logits, targets, settings_.label_smoothing) * (share * networks);
    result.correct = task_.correct(logits.detach(), targets);
    if (trainee_.look) {
      const at::NoGradGuard guard;
      const at::Tensor shares = at::softmax(logits.detach(), 1);
      const at::Tensor off = shares - at::one_hot(targets, shares.size(1));
      result.errors = off.norm(2, {1}).view(batch.targets.sizes());
    }
  }
  result.gradients = gradients_of(loss, trainee_.parameters);
  result.loss = loss.detach();
  return result;
}

tasks::Batch training_batch(const Trainee& trainee, const tasks::Task& task, std::int64_t epoch,
                            std::int64_t index, std::int64_t batch_size) {
  const auto of_order = [&](std::int64_t order) {
    const std::int64_t number = order * tasks::kEpochsPerOrder + epoch;
    const at::Tensor all = trainee.examples ? trainee.examples(epoch, order) : at::Tensor();
    return all.defined()
               ? task.training_batch(number, index, all.narrow(0, index * batch_size, batch_size))
               : task.training_batch(number, index, batch_size);
  };
  if (trainee.orders.empty()) return of_order(0);
  std::map<std::int64_t, tasks::Batch> known;
  std::vector<at::Tensor> inputs, targets;
  for (const std::int64_t order : trainee.orders) {
    auto& batch = known[order];
    if (!batch.inputs.defined()) batch = of_order(order);
    inputs.push_back(batch.inputs);
    targets.push_back(batch.targets);
  }
  return {at::cat(inputs, 1), at::stack(targets)};
}

}  // namespace mosaic::supernet
