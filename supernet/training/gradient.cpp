#include "training/gradient.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <unordered_set>

#include "engine/autocast.hpp"
#include "engine/channels.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/text.hpp"
#include "training/pieces.hpp"

namespace mosaic::supernet {
namespace {

/// The leaves that results were computed from.
std::unordered_set<const void*> leaves_of(const std::vector<at::Tensor>& results) {
  std::unordered_set<const void*> leaves;
  std::unordered_set<const torch::autograd::Node*> seen;
  std::vector<const torch::autograd::Node*> open;
  for (const auto& result : results) open.push_back(result.grad_fn().get());
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

/// What others learn relations from: its tensors changed, and no mask, of which they have their
/// own.
template <class Change>
Outputs::Attention to_teach(Outputs::Attention attention, const Change& change) {
  attention.mask = at::Tensor();
  for (const auto part : kRelated) attention.*part = change(attention.*part);
  return attention;
}

}  // namespace

// Autograd is asked for those parameters alone that the roots depend on: a mixture has thousands of
// others, and looking them all up takes longer than the pass.
std::vector<at::Tensor> gradients_of(const std::vector<at::Tensor>& roots,
                                     const std::vector<at::Tensor>& given,
                                     const std::vector<Parameter>& parameters) {
  const auto leaves = leaves_of(roots);
  std::vector<at::Tensor> used, result(parameters.size());
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& leaf = parameters[i].leaf;
    const at::Tensor& asked = leaf.defined() ? leaf : parameters[i].value;
    if (!leaves.contains(asked.unsafeGetTensorImpl())) continue;
    used.push_back(asked);
    places.push_back(i);
  }
  if (used.empty()) return result;
  const auto found = torch::autograd::grad(roots, used, given, std::nullopt, false, true);
  // The optimiser's fused kernels walk weights and gradients in one order.
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i].defined())
      result[places[i]] = found[i].contiguous().view(parameters[places[i]].value.sizes());
  return result;
}

void PassResult::add(const PassResult& other, bool more) {
  if (!loss.defined()) {
    *this = other;
    if (!more) return;
    loss = loss.clone();
    for (auto& gradient : gradients)
      if (gradient.defined()) gradient = gradient.clone();
    return;
  }
  outputs = other.outputs;
  norms = other.norms;
  loss = loss + other.loss;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!other.gradients[i].defined()) continue;
    const at::Tensor& more_of = other.gradients[i];
    gradients[i] = gradients[i].defined() ? gradients[i] + more_of
                   : more                 ? more_of.clone()
                                          : more_of;
  }
}

void PassResult::give(const std::vector<Parameter>& parameters) const {
  for (std::size_t i = 0; i < gradients.size(); ++i)
    at::Tensor(parameters[i].value).mutable_grad() = gradients[i];
}

std::vector<at::Tensor*> Taught::tensors() {
  std::vector<at::Tensor*> result{&outputs};
  for (const auto part : kRelated) result.push_back(&(attention.*part));
  std::erase_if(result, [](const at::Tensor* tensor) { return !tensor->defined(); });
  return result;
}

/// A pass that was recorded, with the tensors it reads and writes.
class RecordedPass {
 public:
  /// `taught`: tensors that stay, and that other passes may write to between replays.
  template <class Compute>
  RecordedPass(std::shared_ptr<const void> held, const tasks::Batch& batch, const Taught& taught,
               Recording::Pool pool, const at::Generator& random, const Compute& compute)
      : held_(std::move(held)),
        batch_{cloned(batch.inputs), cloned(batch.targets)},
        taught_(taught),
        recording_([&] { result_ = compute(batch_, taught_); }, pool, random) {}

  PassResult replay(const tasks::Batch& batch, Taught taught) {
    copy(batch.inputs, batch_.inputs);
    copy(batch.targets, batch_.targets);
    const auto from = taught.tensors(), to = taught_.tensors();
    for (std::size_t i = 0; i < from.size(); ++i) to[i]->copy_(*from[i]);
    recording_.replay();
    return result_;
  }

 private:
  static NamedTensors cloned(const NamedTensors& tensors) {
    NamedTensors result;
    for (const auto& [name, tensor] : tensors) result.emplace_back(name, tensor.clone());
    return result;
  }
  static void copy(const NamedTensors& from, const NamedTensors& to) {
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
  }

  std::shared_ptr<const void> held_;
  tasks::Batch batch_;
  Taught taught_;
  PassResult result_;
  Recording recording_;
};

bool uses_bfloat16(const TrainSettings& settings, const std::string& device) {
  return settings.precision == "bfloat16" || (settings.precision == "auto" && device != "cpu");
}

GradientSettings gradient_settings(const TrainSettings& settings, const std::string& device) {
  return {.label_smoothing = settings.label_smoothing,
          .bfloat16 = uses_bfloat16(settings, device),
          .replay = settings.replay,
          .distill = settings.distill,
          .temperature = settings.distill_temperature,
          .relations = settings.distill_relations,
          .relation = {settings.relation_heads, settings.relation_loss == "kl"}};
}

Gradients::Gradients(Trainee& trainee, const tasks::Task& task, const GradientSettings& settings)
    : trainee_(trainee), task_(task), settings_(settings), random_(make_random(trainee.device())) {
  for (const auto& observer : trainee.observers()) norms_ = norms_ || observer->asks_for_norms();
  seed(0);
}
Gradients::~Gradients() { forget(); }

void Gradients::seed(std::int64_t step) {
  core::Stream stream(trainee_.seed(), "ops", static_cast<std::uint64_t>(step));
  random_.set_current_seed(stream.next64());
}

void Gradients::forget() {
  const bool any = !recorded_.empty() || pieces_;
  recorded_.clear();
  pieces_.reset();
  taught_.clear();
  seen_.clear();
  if (any) release_unused_memory(trainee_.device());
}

bool Gradients::stop_recording() {
  const bool any = !recorded_.empty() || (pieces_ && pieces_->recorded() > 0);
  forget();
  settings_.replay = false;
  return any;
}

PassResult Gradients::run(const spaces::Genotype& genotype, const tasks::Batch& batch, double share,
                          const Taught& taught, bool outputs) {
  constexpr std::size_t kMostRecorded = 128;
  // Which of them a pass is does not depend on what came before: a resumed training computes alike.
  const bool records = settings_.replay && can_record(trainee_.device());
  const bool by_blocks = settings_.blocks || (records && trainee_.by_blocks());
  if (by_blocks || !records) return compute(genotype, batch, share, taught, outputs, by_blocks);
  std::string key = trainee_.key(genotype) + " x " + std::to_string(share);
  if (taught.any()) key += " taught";
  if (outputs) key += " said";
  for (const auto* tensors : {&batch.inputs, &batch.targets})
    for (const auto& [name, tensor] : *tensors)
      for (const auto size : tensor.sizes()) key += " " + std::to_string(size);
  if (const auto found = recorded_.find(key); found != recorded_.end())
    return found->second->replay(batch, taught);
  if (recorded_.size() >= kMostRecorded || ++seen_[key] != 2)
    return compute(genotype, batch, share, taught, outputs, /*by_blocks=*/false);
  if (recorded_.empty()) pool_ = Recording::make_pool();
  // By all recordings: a copy for each of logits of tokens would fill the memory.
  Taught shared = taught;
  const auto tensors = shared.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    at::Tensor& kept = taught_[{i, tensors[i]->sizes().vec()}];
    if (!kept.defined()) kept = at::empty_like(*tensors[i], at::MemoryFormat::Contiguous);
    kept.copy_(*tensors[i]);
    *tensors[i] = kept;
  }
  auto& made = recorded_[key];
  made =
      std::make_unique<RecordedPass>(trainee_.hold(genotype), batch, shared, pool_, random_,
                                     [&](const tasks::Batch& fixed, const Taught& fixed_taught) {
                                       return compute(genotype, fixed, share, fixed_taught, outputs,
                                                      /*by_blocks=*/false);
                                     });
  return made->replay(batch, taught);
}

void Gradients::run_all(const std::vector<spaces::Genotype>& architectures,
                        const tasks::Batch& batch, double share, bool outputs,
                        const std::function<void(const spaces::Genotype&)>& before,
                        const std::function<void(const PassResult&)>& after) {
  Taught taught;
  const bool distills = settings_.distill > 0 || settings_.relations > 0;
  if (distills && trainee_.teacher()) taught = teach(*trainee_.teacher(), batch);
  for (const auto& genotype : architectures) {
    before(genotype);
    const bool teaches = distills && !taught.any();
    const auto pass = run(genotype, batch, share, taught, outputs || teaches);
    if (teaches) taught = taught_by(pass);
    after(pass);
  }
}

Taught Gradients::taught_by(const PassResult& pass) const {
  Taught taught;
  if (settings_.distill > 0) taught.outputs = pass.outputs.to(at::kFloat);
  if (settings_.relations > 0) taught.attention = pass.attention;
  // Copies: what a replayed pass returned is overwritten by the passes after it.
  for (at::Tensor* tensor : taught.tensors()) *tensor = tensor->clone();
  return taught;
}

Taught Gradients::teach(const Subnet& teacher, const tasks::Batch& batch) const {
  const at::NoGradGuard guard;
  const auto in_bfloat16 = autocast(settings_.bfloat16);
  const auto& orders = trainee_.orders();
  // Networks that see the same batches learn the same.
  const bool alike = std::all_of(orders.begin(), orders.end(),
                                 [&](std::int64_t order) { return order == orders[0]; });
  NamedTensors inputs;
  for (const auto& [name, tensor] : batch.inputs)
    inputs.emplace_back(name, alike ? tensor.select(0, 0) : tensor.flatten(0, 1));
  const auto networks = static_cast<std::int64_t>(orders.size());
  /// [1, batch of all or of each, ...] -> [networks, batch, ...].
  const auto of_each = [&](const at::Tensor& x) {
    if (!alike) return x.squeeze(0).unflatten(0, {networks, -1});
    auto sizes = x.sizes().vec();
    sizes[0] = networks;
    return x.expand(sizes);
  };
  Taught taught;
  Outputs said;
  if (settings_.relations > 0)
    said = teacher.with_attention(inputs);
  else
    said.values = {teacher.forward(inputs).unsqueeze(0)};
  if (settings_.distill > 0) taught.outputs = of_each(said.values[0].to(at::kFloat)).flatten(0, 1);
  if (settings_.relations > 0) taught.attention = to_teach(said.attentions.at(0), of_each);
  return taught;
}

at::Tensor Gradients::distilled(const at::Tensor& each, const at::Tensor& outputs,
                                const NamedTensors& targets,
                                const std::vector<Outputs::Attention>& own,
                                const Taught& taught) const {
  at::Tensor result = std::max(0.0, 1 - settings_.distill - settings_.relations) * each;
  if (taught.outputs.defined()) {
    const at::Tensor soft =
        task_.distillation_losses(outputs, taught.outputs, targets, settings_.temperature);
    if (!soft.defined())
      throw core::UsageError("task '" + task_.name() + "' does not offer distillation",
                             "train without distill");
    result = result + settings_.distill * soft;
  }
  if (!taught.attention.queries.defined()) return result;
  std::vector<at::Tensor> of_network(trainee_.networks());
  for (const auto& attention : own) {
    const auto rows = relation_losses(attention, taught.attention, settings_.relation).unbind();
    for (std::size_t i = 0; i < rows.size(); ++i)
      of_network[static_cast<std::size_t>(attention.networks[i])] = rows[i];
  }
  return result + settings_.relations * at::cat(of_network);
}

PassResult Gradients::compute(const spaces::Genotype& genotype, const tasks::Batch& batch,
                              double share, const Taught& taught, bool outputs, bool by_blocks) {
  const Mode mode{.norm = NormMode::batch,
                  .stats = nullptr,
                  .training = true,
                  .attention = teaches(taught) || taught.attention.queries.defined(),
                  .bfloat16 = settings_.bfloat16,
                  .random = &random_};
  const auto judged_by = [&](const Outputs& given, const NamedTensors& targets,
                             const Taught& fixed) {
    return judge(given, targets, share, fixed, outputs);
  };
  Judged judged;
  {
    const auto in_bfloat16 = autocast(settings_.bfloat16);
    const auto program = by_blocks ? trainee_.program(genotype, mode) : nullptr;
    const auto sources =
        program && program->states().empty() ? trainee_.sources(genotype, *program, mode) : nullptr;
    if (sources) {
      if (!pieces_)
        pieces_ = std::make_unique<Pieces>(trainee_, random_,
                                           settings_.replay && can_record(trainee_.device()));
      return pieces_->run(*program, *sources, batch, taught, mode, judged_by,
                          core::format_double(share) + (outputs ? " said" : ""));
    }
    judged = judged_by(trainee_.forward(genotype, batch.inputs, mode), batch.targets, taught);
  }
  judged.result.gradients = gradients_of({judged.loss}, {}, trainee_.parameters());
  judged.result.loss = judged.loss.detach();
  return std::move(judged.result);
}

bool Gradients::teaches(const Taught& taught) const {
  return settings_.relations > 0 && !taught.any() && !trainee_.teacher();
}

Judged Gradients::judge(const Outputs& given, const NamedTensors& targets_of_each, double share,
                        const Taught& taught, bool outputs) const {
  Judged judged;
  const at::Tensor& values = given.values[0];
  const at::Tensor all = (task_.takes_bfloat16() ? values : values.to(at::kFloat)).flatten(0, 1);
  const auto targets = flattened(targets_of_each);
  // The mean over a network's examples, summed over networks: each has the gradient of its own
  // loss.
  at::Tensor each = task_.losses(all, targets, settings_.label_smoothing);
  if (taught.any()) each = distilled(each, all.to(at::kFloat), targets, given.attentions, taught);
  judged.loss = each.sum() * (share / static_cast<double>(values.size(1)));
  for (const auto& own : given.losses)
    judged.loss =
        judged.loss + own.value.to(at::kFloat).flatten(1).mean(1).sum() * (share * own.weight);
  if (outputs) judged.result.outputs = all.detach();
  if (teaches(taught))
    judged.result.attention =
        to_teach(given.attentions.at(0), [](const at::Tensor& tensor) { return tensor.detach(); });
  if (!norms_) return judged;
  const at::NoGradGuard guard;
  judged.result.norms = task_.output_gradient_norms(all.detach().to(at::kFloat), targets);
  if (!judged.result.norms.defined())
    throw core::UsageError("this sampler weighs examples by their gradients, and task '" +
                               task_.name() + "' does not give them",
                           "use another sampler, such as uniform");
  judged.result.norms = judged.result.norms.view({values.size(0), values.size(1)});
  return judged;
}

namespace {

/// Sequences of tokens in orders of their own differ in length: padded to the longest, as the
/// examples of a batch are. What is no token has no padding.
std::vector<at::Tensor> equally_long(std::vector<at::Tensor> rows) {
  auto sizes = rows[0].sizes().vec();
  for (const auto& row : rows)
    for (std::size_t axis = 0; axis < sizes.size(); ++axis)
      sizes[axis] = std::max(sizes[axis], row.size(static_cast<std::int64_t>(axis)));
  for (auto& row : rows) {
    if (row.sizes() == at::IntArrayRef(sizes) || row.scalar_type() != at::kLong) continue;
    const at::Tensor padded = at::zeros(sizes, row.options());
    at::Tensor part = padded;
    for (std::int64_t axis = 0; axis < row.dim(); ++axis)
      part = part.narrow(axis, 0, row.size(axis));
    part.copy_(row);
    row = padded;
  }
  return rows;
}

}  // namespace

NamedTensors flattened(const NamedTensors& targets) {
  NamedTensors result;
  for (const auto& [name, tensor] : targets) result.emplace_back(name, tensor.flatten(0, 1));
  return result;
}

tasks::Batch training_batch(const Trainee& trainee, const tasks::Task& task, std::int64_t epoch,
                            std::int64_t index, std::int64_t batch_size, std::int64_t tokens) {
  std::map<std::int64_t, tasks::Batch> of_order;
  for (const std::int64_t order : trainee.orders()) {
    if (of_order.contains(order)) continue;
    tasks::Selection selection{.begin = tokens > 0 ? index : index * batch_size,
                               .count = batch_size,
                               .epoch = epoch,
                               .tokens = tokens,
                               .order = order};
    for (const auto& observer : trainee.observers())
      if (const at::Tensor all = observer->examples(epoch, order); all.defined()) {
        if (tokens > 0)
          throw core::UsageError(
              "a sampler that chooses the examples of a batch cannot fill it "
              "with batch_tokens",
              "use batch_size with this sampler");
        selection.examples = all.narrow(0, selection.begin, batch_size);
      }
    of_order[order] = task.batch(selection);
  }
  const auto joined = [&](NamedTensors tasks::Batch::*part) {
    NamedTensors result;
    const auto& first = of_order.begin()->second.*part;
    for (std::size_t i = 0; i < first.size(); ++i) {
      std::vector<at::Tensor> rows;
      for (const std::int64_t order : trainee.orders())
        rows.push_back((of_order.at(order).*part)[i].second.unsqueeze(0));
      result.emplace_back(first[i].first, join_networks(equally_long(std::move(rows))));
    }
    return result;
  };
  return {joined(&tasks::Batch::inputs), joined(&tasks::Batch::targets)};
}

}  // namespace mosaic::supernet
