#include "mosaic/supernet/training/trainer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "engine/capture.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/progress.hpp"
#include "mosaic/core/text.hpp"
#include "training/checkpoint.hpp"
#include "training/gradient.hpp"
#include "training/optimizer.hpp"

namespace mosaic::supernet {
namespace {

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
      dynamic_cast<const std::bad_alloc*>(&error))
    return true;
  const std::string what = error.what();
  return what.find("not enough memory") != std::string::npos ||
         what.find("out of memory") != std::string::npos;
}

/// A linear warm-up, then what the schedule says.
double learning_rate_at(std::int64_t step, std::int64_t steps, const TrainSettings& settings) {
  const auto warm =
      settings.warmup_steps > 0
          ? settings.warmup_steps
          : static_cast<std::int64_t>(std::ceil(settings.warmup * static_cast<double>(steps)));
  if (step < warm)
    return settings.learning_rate * static_cast<double>(step + 1) / static_cast<double>(warm);
  if (settings.schedule == "constant") return settings.learning_rate;
  if (settings.schedule == "inverse-sqrt")
    return settings.learning_rate * std::sqrt(static_cast<double>(std::max<std::int64_t>(1, warm)) /
                                              static_cast<double>(step + 1));
  const double done = static_cast<double>(step - warm) /
                      static_cast<double>(std::max<std::int64_t>(1, steps - warm));
  return settings.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

double cost_of_restructuring(const Trainee& trainee) {
  double cost = 0;
  for (const auto& observer : trainee.observers()) cost += observer->cost_of_restructuring();
  return cost;
}

/// Steps of a training: what changes of structure cost is taken off.
std::int64_t steps_of(const Trainee& trainee, const TrainSettings& settings,
                      const Batches& batches) {
  const std::int64_t all =
      settings.steps > 0 ? settings.steps : batches.per_epoch * settings.epochs;
  return all - static_cast<std::int64_t>(cost_of_restructuring(trainee) / batches.examples);
}

/// Throws where settings contradict what is trained, and for how many steps.
void check(const Trainee& trainee, const TrainSettings& settings, std::int64_t steps) {
  double restart = 0;  // share of the steps after which the learning rate starts anew
  for (const auto& observer : trainee.observers())
    if (observer->restarts() && !observer->restructures_at().empty())
      restart = observer->restructures_at().back();
  if (static_cast<double>(settings.warmup_steps) > static_cast<double>(steps) * (1 - restart))
    throw core::UsageError(
        "warmup_steps = " + std::to_string(settings.warmup_steps) + " are more than the " +
            std::to_string(steps) + " steps of the training" +
            (restart > 0 ? " that are left where the learning rate restarts" : ""),
        "lower warmup_steps, or train longer");
  if (settings.batch_tokens > 0 && cost_of_restructuring(trainee) > 0)
    throw core::UsageError(
        "a way of sharing that is chosen while it trains counts examples, and "
        "has no batch_tokens",
        "use batch_size");
  if (!settings.teacher.empty() && !trainee.teacher())
    throw std::logic_error("who trains with a teacher gives it to the trainee");
  settings.check_shares();
  if (settings.distill_relations > 0 && trainee.teacher())
    (void)last_self_attention(trainee.teacher()->graph(), "forward");
  if (settings.distills() && !trainee.teacher() && !trainee.largest_first())
    throw core::UsageError("distill needs a network to learn from, and the steps of sampler = \"" +
                               settings.sampler + "\" have no largest network",
                           "use sampler = \"sandwich(random=2)\", or give a teacher");
}

/// Lets cuDNN choose its algorithms by time, or not.
void set_autotune(bool on) {
  at::globalContext().setBenchmarkCuDNN(on);
  at::globalContext().setDeterministicCuDNN(!on);
}

class Training {
 public:
  Training(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
           const TrainHooks& hooks)
      : trainee_(trainee),
        task_(task),
        settings_(settings),
        hooks_(hooks),
        gradients_settings_(gradient_settings(settings, trainee.device())),
        metrics_(task.metrics()) {
    std::erase_if(metrics_, [](const auto& metric) { return metric.of_written; });
    if (gradients_settings_.bfloat16 && trainee.device() == "cpu")
      throw core::UsageError("precision = \"bfloat16\" needs a GPU",
                             "use precision = \"auto\" or \"float32\"");
    const auto batches = batches_of(task, settings);
    per_epoch_ = batches.per_epoch;
    batch_examples_ = batches.examples;
    batch_size_ = std::llround(batches.examples);
    steps_ = steps_of(trainee, settings, batches);
    for (const auto& observer : trainee.observers())
      if (!observer->restructures_at().empty()) restructuring_ = observer.get();
    if (steps_ < 1)
      throw core::UsageError("choosing where to share costs more examples than the training has",
                             "train for more epochs");
    check(trainee, settings, steps_);
    begin();
  }

  void run() {
    resume();
    if (step_ < steps_) go_on();
    optimizer_->take_average();
  }

 private:
  void go_on() {
    const OwnStream own(trainee_.device());
    reset_window();
    if (settings_.autotune) set_autotune(true);
    const auto reset = c10::make_scope_exit([this] {
      if (settings_.autotune) set_autotune(false);
    });
    core::Progress progress(hooks_.label, steps_ * batch_size_, step_ * batch_size_);
    core::Stopwatch since_checkpoint;
    const std::int64_t report_every = std::max<std::int64_t>(1, per_epoch_ / 20);
    metrics_every_ = std::clamp<std::int64_t>(report_every / 4, 1, 8);
    while (step_ < steps_) {
      restructure();
      train_step();
      ++step_;
      const bool epoch_ends = step_ % per_epoch_ == 0 || step_ == steps_;
      if (step_ % report_every == 0 || epoch_ends) progress.update(step_ * batch_size_, report());
      const bool stop = core::interrupted();
      if (epoch_ends || stop || since_checkpoint.seconds() > 60 * settings_.checkpoint_minutes) {
        checkpoint();
        since_checkpoint = {};
      }
      if (stop && step_ < steps_) core::check_interrupt();
    }
    progress.finish();
  }

  void begin() {
    for (const auto& observer : trainee_.observers())
      for (auto& named : observer->begin(task_)) state_.push_back(std::move(named));
    adopt();
  }

  /// Makes what belongs to the trainee's parameters.
  void adopt() {
    gradients_.reset();  // and its memory
    gradients_ = std::make_unique<Gradients>(trainee_, task_, gradients_settings_);
    optimizer_ = std::make_unique<Optimizer>(trainee_, settings_);
  }

  NamedTensors saved_tensors() const {
    NamedTensors result;
    for (const auto& parameter : trainee_.parameters())
      result.emplace_back(parameter.label(trainee_.networks()), parameter.value);
    result.insert(result.end(), state_.begin(), state_.end());
    return result;
  }

  void resume() {
    if (hooks_.checkpoint.empty() || !std::filesystem::exists(hooks_.checkpoint)) return;
    if (restructuring_) {
      const auto known = read_header(hooks_.checkpoint);
      if (known.identity == hooks_.identity && known.structure != trainee_.structure()) {
        trainee_.restructure(known.structure);
        adopt();
      }
    }
    const auto header =
        load_checkpoint(hooks_.checkpoint, saved_tensors(), optimizer_.get(), hooks_.identity);
    step_ = header.step;
    pieces_ = header.pieces;
    if (hooks_.resumed) hooks_.resumed(step_);
  }

  Moment moment(std::int64_t step) const {
    return {step, steps_, per_epoch_, batch_size_, task_, settings_};
  }

  std::int64_t step_at(double share) const {
    const auto step = static_cast<std::int64_t>(std::llround(share * static_cast<double>(steps_)));
    return std::clamp<std::int64_t>(step, 1, std::max<std::int64_t>(1, steps_ - 1));
  }

  /// Changes of structure that are due before the next step.
  void restructure() {
    if (!restructuring_) return;
    const auto shares = restructuring_->restructures_at();
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (step_at(shares[i]) != step_) continue;
      report();
      gradients_->forget();  // choosing records passes of its own
      const auto structure = restructuring_->restructuring(trainee_, moment(step_), i);
      if (structure != trainee_.structure()) {
        const auto heritages = trainee_.restructure(structure);
        const auto former = std::move(optimizer_);
        adopt();
        optimizer_->inherit(*former, heritages);
      }
      reset_window();
    }
  }

  double learning_rate(std::int64_t step) const {
    std::int64_t first = 0;
    if (restructuring_ && restructuring_->restarts())
      if (const auto last = step_at(restructuring_->restructures_at().back()); step >= last)
        first = last;
    return learning_rate_at(step - first, steps_ - first, settings_);
  }

  void train_step() {
    const auto batch = training_batch(trainee_, task_, step_ / per_epoch_, step_ % per_epoch_,
                                      batch_size_, settings_.batch_tokens);
    const auto architectures = trainee_.draw(step_);
    for (;;) {
      try {
        accumulate(batch, architectures);
        break;
      } catch (const std::exception& error) {
        if (!is_out_of_memory(error)) throw;
        if (gradients_->stop_recording()) {  // recordings may be what fills the memory
          core::log_warning("recorded passes do not fit in memory: going on without, slower");
          continue;
        }
        if (pieces_ * 2 > batch.inputs.at(0).second.size(1))
          throw core::Error("not even two examples fit in memory: " + std::string(error.what()),
                            "use a smaller space, or a device with more memory");
        pieces_ *= 2;
        core::log_warning("a batch of " + std::to_string(batch_size_) +
                          " does not fit in memory: going on in " + std::to_string(pieces_) +
                          " pieces (batch statistics are those of a piece)");
      }
    }
    if (settings_.clip > 0) optimizer_->clip(settings_.clip);
    at::Tensor trained;
    for (const auto& observer : trainee_.observers())
      if (const at::Tensor mask = observer->trained(); mask.defined()) trained = mask;
    optimizer_->step(learning_rate(step_), trained);
    optimizer_->average(step_);
    optimizer_->zero_grad();
    for (const auto& observer : trainee_.observers())
      observer->after_step(trainee_, moment(step_ + 1), architectures);
  }

  /// Gradients of one step: the mean over its passes and pieces.
  void accumulate(const tasks::Batch& batch, const std::vector<spaces::Genotype>& architectures) {
    const Moment now = moment(step_);
    for (const auto& observer : trainee_.observers()) observer->before_step();
    gradients_->seed(step_);
    PassResult sum;
    std::vector<at::Tensor> norms;  // of each piece
    const auto pieces = in_pieces(batch);
    for (const auto& piece : pieces) {
      const double share = static_cast<double>(piece.inputs.at(0).second.size(1)) /
                           batch_examples_ / static_cast<double>(architectures.size());
      const auto targets = flattened(piece.targets);
      const bool measured = step_ % metrics_every_ == 0 && !window_metrics_.empty();
      gradients_->run_all(
          architectures, piece, share, measured,
          [&](const spaces::Genotype& genotype) {
            for (const auto& observer : trainee_.observers()) observer->before_pass(now, genotype);
          },
          [&](const PassResult& pass) {
            if (measured)
              for (const auto& metric : window_metrics_) metric->add(pass.outputs, targets);
            sum.add(pass, pieces.size() * architectures.size() > 1);
          });
      if (sum.norms.defined()) norms.push_back(sum.norms.clone());
    }
    sum.give(trainee_.parameters());
    for (const auto& observer : trainee_.observers())
      observer->found(trainee_,
                      {now, architectures, norms.empty() ? at::Tensor() : at::cat(norms, 1)});
    loss_window_ += sum.loss;
    const at::Tensor weights = task_.loss_weights(flattened(batch.targets));
    if (weights.defined())
      weight_window_ +=
          weights.sum() / (batch_examples_ * static_cast<double>(trainee_.networks()));
    else
      weight_window_ += static_cast<double>(batch.inputs.at(0).second.size(1)) / batch_examples_;
    ++steps_window_;
  }

  /// Reads the figures off the device, checks them, and passes them on. Returns the note for the
  /// progress bar.
  std::string report() {
    if (steps_window_ == 0) return {};
    TrainProgress now;
    now.step = step_;
    now.steps = steps_;
    now.epoch = static_cast<double>(step_) / static_cast<double>(per_epoch_);
    const auto networks = static_cast<double>(trainee_.networks());
    const double loss = loss_window_.item<double>() / weight_window_.item<double>() / networks;
    now.metrics["loss"] = loss;
    char text[64];
    std::snprintf(text, sizeof text, "loss %.3f", loss);
    std::string note = text;
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      const double value = window_metrics_[i]->result().value;
      if (std::isnan(value)) continue;  // no step of this window was measured
      now.metrics[metrics_[i].name] = value;
      std::snprintf(text, sizeof text, metrics_[i].unit == "%" ? " %.1f%%" : " %.4g", value);
      note += ", " + metrics_[i].name + text;
    }
    now.learning_rate = learning_rate(step_ - 1);
    now.examples_per_second =
        networks * static_cast<double>(steps_window_ * batch_size_) / window_.seconds();
    if (!std::isfinite(loss)) diverged("the training loss is");
    if (hooks_.report) hooks_.report(now);
    reset_window();
    return note;
  }

  /// Parts of the batch that fit in memory one by one.
  std::vector<tasks::Batch> in_pieces(const tasks::Batch& batch) const {
    if (pieces_ == 1) return {batch};
    std::vector<tasks::Batch> result;
    for (auto part : {&tasks::Batch::inputs, &tasks::Batch::targets})
      for (const auto& [name, tensor] : batch.*part) {
        const auto pieces = tensor.chunk(pieces_, 1);
        result.resize(pieces.size());
        for (std::size_t i = 0; i < pieces.size(); ++i)
          (result[i].*part).emplace_back(name, pieces[i]);
      }
    return result;
  }

  void check_finite() const {
    at::NoGradGuard guard;
    const auto parameters = core::mapped(trainee_.parameters(), &Parameter::value);
    if (!at::stack(at::_foreach_norm(parameters)).isfinite().all().item<bool>())
      diverged("the weights are");
  }

  [[noreturn]] void diverged(const std::string& what) const {
    throw core::Error(what + " not finite after " + std::to_string(step_) + " steps",
                      "lower learning_rate (now " + core::format_double(settings_.learning_rate) +
                          ") or clip (now " + core::format_double(settings_.clip) +
                          "), or lengthen warmup; the last checkpoint is intact");
  }

  void reset_window() {
    const auto options = at::TensorOptions().device(at::Device(trainee_.device()));
    loss_window_ = at::zeros({}, options.dtype(at::kFloat));
    weight_window_ = at::zeros({}, options.dtype(at::kFloat));
    window_metrics_.clear();
    for (const auto& metric : metrics_) window_metrics_.push_back(metric.make());
    steps_window_ = 0;
    window_ = {};
  }

  void checkpoint() {
    report();
    check_finite();  // what has diverged must not overwrite the last good checkpoint
    if (hooks_.checkpoint.empty()) return;
    core::crash_point("before checkpoint");
    save_checkpoint(hooks_.checkpoint, saved_tensors(), *optimizer_,
                    {step_, steps_, pieces_, hooks_.identity, trainee_.structure()});
    core::crash_point("after checkpoint");
  }

  Trainee& trainee_;
  const tasks::Task& task_;
  const TrainSettings& settings_;
  const TrainHooks& hooks_;
  GradientSettings gradients_settings_;
  std::vector<tasks::MetricType> metrics_;
  Observer* restructuring_ = nullptr;
  NamedTensors state_;  ///< of the observers
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Gradients> gradients_;
  double batch_examples_ = 0;    ///< of a batch, on average; each counts alike
  std::int64_t batch_size_ = 0;  ///< the same, rounded
  std::int64_t per_epoch_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t step_ = 0;
  std::int64_t pieces_ = 1;
  at::Tensor loss_window_;
  at::Tensor weight_window_;  ///< how many steps those losses are of, by Task::loss_weights()
  std::vector<std::unique_ptr<tasks::Metric>> window_metrics_;  ///< parallel to metrics_
  std::int64_t steps_window_ = 0;
  /// Metrics are those of every so manyth step: of as many logits as a vocabulary has they cost as
  /// much as the loss.
  std::int64_t metrics_every_ = 1;
  core::Stopwatch window_;
};

/// Mean time of the forward and backward passes of a few steps. Each step runs several times and
/// its last run is timed: the first ones pay for allocations, kernel loading, kernel choice,
/// recording.
double mean_step_seconds(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
                         const Batches& batches) {
  constexpr std::int64_t kSteps = 6;
  const OwnStream own(trainee.device());
  const std::int64_t runs = settings.replay && can_record(trainee.device()) ? 3 : 2;
  Gradients gradients(trainee, task, gradient_settings(settings, trainee.device()));
  const std::int64_t batch_size = std::llround(batches.examples);
  constexpr double kEnough = 20;  // seconds
  const core::Stopwatch all;
  double seconds = 0;
  for (std::int64_t run = 0; run < runs * kSteps; ++run) {
    core::check_interrupt();
    if (run > 0 && run % runs == 0 && all.seconds() > kEnough)
      return seconds / static_cast<double>(run / runs);
    // Batches of tokens differ in length, and in what they take.
    const auto batch = training_batch(trainee, task, 0, std::min(run / runs, batches.per_epoch - 1),
                                      batch_size, settings.batch_tokens);
    const core::Stopwatch watch;
    const Moment now{run / runs, kSteps, kSteps, batch_size, task, settings};
    gradients.run_all(
        trainee.draw(now.step), batch, 1, false,
        [&](const spaces::Genotype& genotype) {
          for (const auto& observer : trainee.observers()) observer->before_pass(now, genotype);
        },
        [](const PassResult& pass) { (void)pass.loss.item<double>(); });
    if (run % runs == runs - 1) seconds += watch.seconds();
  }
  return seconds / static_cast<double>(kSteps);
}

}  // namespace

Batches batches_of(const tasks::Task& task, const TrainSettings& settings) {
  const auto all = task.size(tasks::Split::train);
  if (settings.batch_tokens > 0) {
    const auto per_epoch = task.token_batches(settings.batch_tokens);
    if (per_epoch < 1)
      throw core::UsageError("the task " + task.name() + " is of no texts, and has no batch_tokens",
                             "use batch_size");
    const double examples = static_cast<double>(all) / static_cast<double>(per_epoch);
    if (examples < 2)
      throw core::UsageError("batch_tokens = " + std::to_string(settings.batch_tokens) +
                                 " hold less than two texts on average",
                             "raise batch_tokens, or lower the task's longest");
    return {per_epoch, examples};
  }
  const auto size = std::min(settings.batch_size, all);
  if (size < 2)
    throw core::UsageError("training needs at least two examples a batch",
                           "raise batch_size or the task's limit");
  return {all / size, static_cast<double>(size)};
}

void train(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
           const TrainHooks& hooks) {
  Training(trainee, task, settings, hooks).run();
}

TrainEstimate estimate(Trainee& trainee, const tasks::Task& task, const TrainSettings& settings,
                       const spaces::Space& space) {
  TrainEstimate result;
  if (task.size(tasks::Split::train) < 1) return result;
  result.batches = batches_of(task, settings);
  result.steps = steps_of(trainee, settings, result.batches);
  check(trainee, settings, result.steps);
  double parameters = 0;
  for (const auto& parameter : trainee.parameters())
    parameters += static_cast<double>(parameter.value.nbytes());
  const double copies = (settings.optimizer == "sgd" ? 3 : 4) + (settings.ema > 0 ? 1 : 0);
  result.disk = 2 * (copies - 1) * parameters;  // no gradients
  // Activations of every layer are kept for the backward pass: about the sum over nodes, not the
  // peak.
  double activations = 0;
  for (const auto& node : space.bind(space.largest()).nodes) {
    double bytes = 4;
    for (const auto& dim : node.shape) bytes *= static_cast<double>(dim.value(space.symbols()));
    activations += bytes;
  }
  result.bytes = copies * parameters + activations * result.batches.examples;

  try {
    result.seconds = mean_step_seconds(trainee, task, settings, result.batches) *
                     static_cast<double>(result.steps);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    result.seconds =
        std::numeric_limits<double>::quiet_NaN();  // training itself will halve the batch
  }
  return result;
}

}  // namespace mosaic::supernet
