#include "mosaic/supernet/scoring/generation.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "mosaic/core/process.hpp"

namespace mosaic::supernet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

Program compiled(const spaces::Graph& graph, const std::string& entry) {
  const spaces::Graph* const one[] = {&graph};
  return graph.entries.empty() ? Program() : Program::compile(one, entry, /*training=*/false);
}

std::vector<at::Tensor> weights_of(const Program& program, const WeightSource& weights) {
  std::vector<at::Tensor> result;
  for (const auto& weight : program.weights()) result.push_back(weights(weight.ref).unsqueeze(0));
  return result;
}

}  // namespace

StepwiseNetwork::StepwiseNetwork(const spaces::Graph& graph, const std::string& written,
                                 const WeightSource& weights)
    : parts_(spaces::stepwise(graph, written)),
      encoder_(compiled(parts_.encoder, "encode")),
      step_(compiled(parts_.step, "step")),
      encoder_weights_(weights_of(encoder_, weights)),
      step_weights_(weights_of(step_, weights)) {}

void StepwiseNetwork::begin(const NamedTensors& inputs, std::int64_t rows) {
  const at::NoGradGuard guard;
  handed_.clear();
  states_.clear();
  seen_ = 0;
  if (parts_.handed.empty()) return;
  NamedTensors given;
  for (const auto& node : encoder_.inputs())
    given.emplace_back(node.name, tasks::tensor(inputs, node.name).unsqueeze(0));
  const auto values = run(encoder_, given, encoder_weights_, {.norm = NormMode::stored}).values;
  for (std::size_t i = 0; i < values.size(); ++i)
    handed_.emplace_back(parts_.handed[i],
                         rows == 1 ? values[i] : values[i].repeat_interleave(rows, 1));
}

at::Tensor StepwiseNetwork::step(const at::Tensor& tokens) {
  const at::NoGradGuard guard;
  const at::Tensor next = tokens.view({1, -1, 1});
  if (seen_ == 0)
    for (const auto& state : step_.states())
      states_.emplace_back(state.name, at::zeros({1, tokens.size(0), 0, state.shape[1].value()},
                                                 next.options().dtype(at::kFloat)));
  NamedTensors inputs{{step_.inputs()[0].name, next},
                      {step_.inputs()[1].name, at::full_like(next, seen_)}};
  inputs.insert(inputs.end(), handed_.begin(), handed_.end());
  auto result = run(step_, inputs, step_weights_, {.norm = NormMode::stored}, states_);
  states_ = std::move(result.states);
  ++seen_;
  return result.values[0].flatten(0, 2);
}

void StepwiseNetwork::take(const at::Tensor& sequences) {
  const at::NoGradGuard guard;
  for (auto& [name, state] : states_) state = state.index_select(1, sequences);
}

at::Tensor write(StepwiseNetwork& network, const NamedTensors& inputs, const tasks::Writing& how) {
  const at::NoGradGuard guard;
  // What is given in numbers of tokens tells how long the answer may be.
  NamedTensors given;
  at::Tensor longest;
  for (const auto& [name, tensor] : inputs) {
    if (name == how.input) continue;
    given.emplace_back(name, tensor);
    if (tensor.scalar_type() == at::kLong && tensor.dim() == 2)
      longest = tensor.ne(0)
                    .sum(1)
                    .mul(how.longest_ratio)
                    .floor()
                    .add(how.longest_more)
                    .to(at::kLong)
                    .clamp_max(how.longest);
  }
  if (!longest.defined()) throw std::logic_error("nothing given tells how much is to be written");
  const std::int64_t batch = longest.size(0), beam = how.beam, both = 2 * beam;
  const std::int64_t most = longest.max().item<std::int64_t>();
  const auto numbers = longest.options();
  const auto reals = numbers.dtype(at::kFloat);

  at::Tensor tokens = at::full({batch, beam, 1}, how.begin, numbers);
  at::Tensor scores = at::full({batch, beam}, kNever, reals);
  scores.select(1, 0).zero_();  // all sequences are the same as yet
  at::Tensor best = at::zeros({batch, most}, numbers),
             best_score = at::full({batch}, kNever, reals);
  at::Tensor finished = at::zeros({batch}, numbers);
  at::Tensor done = finished.gt(0);
  const at::Tensor first_of = at::arange(batch, numbers).mul_(beam).unsqueeze(1);
  const at::Tensor places = at::arange(both, numbers);

  network.begin(given, beam);
  for (std::int64_t length = 0; length <= most; ++length) {
    core::check_interrupt();
    at::Tensor likely = network.step(tokens.select(2, length).flatten()).log_softmax(1);
    likely = likely.view({batch, beam, -1});
    const std::int64_t vocabulary = likely.size(2);
    const at::Tensor end = likely.select(2, how.end).clone();
    likely.select(2, 0).fill_(kNever);
    likely.select(2, how.begin).fill_(kNever);
    if (length == 0) likely.select(2, how.end).fill_(kNever);
    // Those that are as long as they may get can only end.
    const at::Tensor full = longest.le(length).view({batch, 1, 1});
    likely.masked_fill_(full, kNever);
    likely.select(2, how.end).copy_(at::where(full.squeeze(2), end, likely.select(2, how.end)));

    const auto [values, which] = (scores.unsqueeze(2) + likely).flatten(1).topk(both, 1);
    const at::Tensor from = which.floor_divide(vocabulary), next = which.remainder(vocabulary);
    const at::Tensor ends = next.eq(how.end).logical_and(values.gt(kNever));

    at::Tensor ending = ends.narrow(1, 0, beam).logical_and(done.logical_not().unsqueeze(1));
    ending = ending.logical_and(ending.cumsum(1).add(finished.unsqueeze(1)).le(beam));
    const auto [top, where] =
        values.narrow(1, 0, beam)
            .div(std::pow(static_cast<double>(length + 1), how.length_penalty))
            .masked_fill(ending.logical_not(), kNever)
            .max(1);
    const at::Tensor better = top.gt(best_score);
    const at::Tensor row = from.gather(1, where.unsqueeze(1));  // [batch, 1]
    const at::Tensor written =
        tokens.gather(1, row.unsqueeze(2).expand({batch, 1, length + 1})).squeeze(1);
    const at::Tensor padded = at::constant_pad_nd(written.narrow(1, 1, length), {0, most - length});
    best = at::where(better.unsqueeze(1), padded, best);
    best_score = at::where(better, top, best_score);
    finished += ending.sum(1);
    done = finished.ge(beam).logical_or(longest.le(length));
    if (length == most || done.all().item<bool>()) break;

    const at::Tensor order =
        std::get<1>(ends.to(at::kLong).mul(both).add(places).topk(beam, 1, /*largest=*/false));
    const at::Tensor goes_on = from.gather(1, order);
    scores = values.gather(1, order).masked_fill(ends.gather(1, order), kNever);
    tokens = at::cat({tokens.gather(1, goes_on.unsqueeze(2).expand({batch, beam, length + 1})),
                      next.gather(1, order).unsqueeze(2)},
                     2);
    network.take(goes_on.add(first_of).flatten());
  }
  return best;
}

}  // namespace mosaic::supernet
