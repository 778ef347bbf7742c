/// "mlp": an ensemble of small multi-layer perceptrons, trained together as one batched network.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>

#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

struct Settings {
  std::int64_t hidden = 64;
  std::int64_t layers = 2;
  std::int64_t members = 5;
  std::int64_t steps = 1000;
  double rate = 0.01;
  double decay = 2;
};

constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kCheckEvery = 20;  // steps between looks at the held-out records

/// Networks this small only lose time to threads that wait for each other, by a factor of ten on a
/// busy machine; one thread also makes the result independent of their number.
auto one_thread() {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  return c10::make_scope_exit([before] { at::set_num_threads(before); });
}

/// All members at once: layer l holds weights [members, in, out] and biases [members, 1, out].
struct Ensemble {
  std::vector<std::int64_t> widths;  ///< of the input, each hidden layer, and the output
  std::int64_t members = 0;
  std::vector<torch::Tensor> parameters;  ///< weight and bias of each layer in turn

  /// He et al. 2015, from streams of our own: torch's global generator is left alone.
  static Ensemble random(std::vector<std::int64_t> widths, std::int64_t members,
                         std::uint64_t seed) {
    Ensemble ensemble{std::move(widths), members, {}};
    core::Stream stream(seed, "predictors.mlp.init");
    for (std::size_t layer = 0; layer + 1 < ensemble.widths.size(); ++layer) {
      const auto in = ensemble.widths[layer];
      const auto out = ensemble.widths[layer + 1];
      std::vector<float> values(static_cast<std::size_t>(members * in * out));
      const double scale = std::sqrt(2.0 / static_cast<double>(in));
      for (float& value : values) value = static_cast<float>(scale * stream.normal());
      ensemble.parameters.push_back(torch::tensor(values).view({members, in, out}));
      ensemble.parameters.push_back(torch::zeros({members, 1, out}));
    }
    return ensemble;
  }

  /// x: [members, batch, inputs]; result: [members, batch].
  torch::Tensor forward(torch::Tensor x) const {
    for (std::size_t i = 0; i < parameters.size(); i += 2) {
      x = torch::baddbmm(parameters[i + 1], x, parameters[i]);
      if (i + 2 < parameters.size()) x = torch::silu(x);
    }
    return x.squeeze(-1);
  }
};

/// Which records each member learns from and which it holds out. The records are dealt into five
/// parts, those of equal features into the same one; member m holds out part m, so that five
/// members hold out each record once. Further members deal anew.
struct Split {
  std::vector<std::vector<std::int64_t>> train;
  std::vector<std::vector<std::int64_t>> held_out;

  Split(const std::vector<Features>& rows, std::int64_t members, std::uint64_t seed) {
    auto networks = networks_of(rows);
    if (networks.size() == 1) {
      networks.clear();
      for (std::size_t i = 0; i < rows.size(); ++i) networks.push_back({i});
    }
    const std::size_t parts = std::min<std::size_t>(5, networks.size());
    for (std::size_t member = 0; member < static_cast<std::size_t>(members); ++member) {
      if (member % parts == 0) core::Stream(seed, "predictors.mlp.split", member).shuffle(networks);
      train.emplace_back();
      held_out.emplace_back();
      for (std::size_t i = 0; i < networks.size(); ++i)
        for (const auto record : networks[i])
          (i % parts == member % parts ? held_out : train)
              .back()
              .push_back(static_cast<std::int64_t>(record));
    }
  }
};

/// Rectangular lists for gathers: shorter ones are filled up with their first entry, at weight 0.
struct Gather {
  torch::Tensor index;   ///< [members, longest]
  torch::Tensor weight;  ///< [members, longest], rows sum to 1

  explicit Gather(const std::vector<std::vector<std::int64_t>>& lists) {
    std::size_t longest = 0;
    for (const auto& list : lists) longest = std::max(longest, list.size());
    std::vector<std::int64_t> indices;
    std::vector<float> weights;
    for (const auto& list : lists) {
      for (std::size_t i = 0; i < longest; ++i) {
        indices.push_back(list[i < list.size() ? i : 0]);
        weights.push_back(i < list.size() ? 1.0f / static_cast<float>(list.size()) : 0.0f);
      }
    }
    const auto members = static_cast<std::int64_t>(lists.size());
    index = torch::tensor(indices).view({members, -1});
    weight = torch::tensor(weights).view({members, -1});
  }
};

/// An endless walk through each member's training records, shuffled anew at every pass.
class Batches {
 public:
  Batches(std::vector<std::vector<std::int64_t>> lists, std::uint64_t seed)
      : lists_(std::move(lists)), stream_(seed, "predictors.mlp.batches"), next_(lists_.size(), 0) {
    batch_ = kBatch;
    for (const auto& list : lists_) batch_ = std::min<std::int64_t>(batch_, std::ssize(list));
  }

  /// [members, batch]
  torch::Tensor next() {
    std::vector<std::int64_t> indices;
    for (std::size_t m = 0; m < lists_.size(); ++m) {
      for (std::int64_t i = 0; i < batch_; ++i) {
        if (next_[m] == 0) stream_.shuffle(lists_[m]);
        indices.push_back(lists_[m][next_[m]]);
        next_[m] = (next_[m] + 1) % lists_[m].size();
      }
    }
    return torch::tensor(indices).view({std::ssize(lists_), batch_});
  }

 private:
  std::vector<std::vector<std::int64_t>> lists_;
  core::Stream stream_;
  std::vector<std::size_t> next_;
  std::int64_t batch_;
};

/// rows[index]: [members, batch, columns] (or [members, batch] for targets).
torch::Tensor pick(const torch::Tensor& rows, const torch::Tensor& index) {
  auto shape = index.sizes().vec();
  for (std::int64_t axis = 1; axis < rows.dim(); ++axis) shape.push_back(rows.size(axis));
  return rows.index_select(0, index.flatten()).view(shape);
}

/// Huber's loss: a few records measured on a throttled device must not bend the fit.
torch::Tensor loss_of(const torch::Tensor& predicted, const torch::Tensor& truth) {
  const auto error = (predicted - truth).abs();
  return torch::where(error < 1, 0.5 * error.square(), error - 0.5);
}

/// Trains all members; each ends with the weights that were best on what it held out.
void train(Ensemble& ensemble, const torch::Tensor& x, const torch::Tensor& y, const Split& split,
           const Settings& settings, std::uint64_t seed) {
  const Gather held_out(split.held_out);
  const auto held_x = pick(x, held_out.index);
  const auto held_y = pick(y, held_out.index);
  Batches batches(split.train, seed);
  for (auto& parameter : ensemble.parameters) parameter.requires_grad_(true);
  torch::optim::AdamW optimiser(
      ensemble.parameters, torch::optim::AdamWOptions(settings.rate).weight_decay(settings.decay));
  auto& options = static_cast<torch::optim::AdamWOptions&>(optimiser.param_groups()[0].options());

  auto best_parameters = core::mapped(
      ensemble.parameters, [](const auto& parameter) { return parameter.detach().clone(); });
  auto best = torch::full({ensemble.members}, std::numeric_limits<float>::infinity());
  std::int64_t best_step = 0;
  for (std::int64_t step = 1; step <= settings.steps; ++step) {
    const double done = static_cast<double>(step) / static_cast<double>(settings.steps);
    options.lr(settings.rate * std::min(1.0, static_cast<double>(step) / 20) *
               (0.5 + 0.5 * std::cos(done * std::numbers::pi)));
    core::check_interrupt();
    const auto index = batches.next();
    optimiser.zero_grad();
    loss_of(ensemble.forward(pick(x, index)), pick(y, index)).mean(1).sum().backward();
    optimiser.step();
    if (step % kCheckEvery != 0 && step != settings.steps) continue;

    const torch::NoGradGuard no_grad;
    const auto loss = (loss_of(ensemble.forward(held_x), held_y) * held_out.weight).sum(1);
    const auto better = loss < best;
    if (better.any().item<bool>()) best_step = step;
    best = torch::where(better, loss, best);
    for (std::size_t i = 0; i < best_parameters.size(); ++i)
      best_parameters[i] =
          torch::where(better.view({-1, 1, 1}), ensemble.parameters[i], best_parameters[i]);
    if (step - best_step > settings.steps / 3) break;
  }
  for (auto& parameter : best_parameters) parameter = parameter.detach().contiguous();
  ensemble.parameters = std::move(best_parameters);
}

class Mlp : public Predictor {
 public:
  explicit Mlp(const core::Call& call) : target_(log_argument(call)) {
    call.expect_only({"decay", "hidden", "layers", "log", "members", "rate", "steps"});
    settings_.hidden = call.integer("hidden", settings_.hidden, 1, 4096);
    settings_.layers = call.integer("layers", settings_.layers, 1, 16);
    settings_.members = call.integer("members", settings_.members, 1, 100);
    settings_.steps = call.integer("steps", settings_.steps, 1, 1'000'000);
    settings_.rate = call.number("rate", settings_.rate, 1e-6, 1);
    settings_.decay = call.number("decay", settings_.decay, 0, 100);
  }

  void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
           std::uint64_t seed) override {
    check_records(rows, targets);
    const auto alone = one_thread();
    Mlp fitted(*this);
    fitted.features_.fit(rows);
    const auto scaled = fitted.target_.fit(targets);
    const auto x = fitted.inputs(rows);
    const auto y = torch::tensor(std::vector<float>(scaled.begin(), scaled.end()));
    std::vector<std::int64_t> widths{static_cast<std::int64_t>(fitted.features_.outputs())};
    widths.insert(widths.end(), static_cast<std::size_t>(settings_.layers), settings_.hidden);
    widths.push_back(1);
    fitted.ensemble_ = Ensemble::random(widths, settings_.members, seed);
    const Split split(rows, settings_.members, seed);
    if (fitted.features_.outputs() > 0 && fitted.target_.varies())
      train(fitted.ensemble_, x, y, split, settings_, seed);
    fitted.calibrate(x, y, split);
    *this = std::move(fitted);
  }

  std::vector<Prediction> predict(const std::vector<Features>& rows) const override {
    check_rows(rows, features_.inputs());
    const auto alone = one_thread();
    constexpr std::size_t kChunk = 4096;
    std::vector<Prediction> result;
    result.reserve(rows.size());
    for (std::size_t begin = 0; begin < rows.size(); begin += kChunk) {
      const auto end = std::min(rows.size(), begin + kChunk);
      const auto all = answers(inputs(std::span(rows).subspan(begin, end - begin)));
      const auto means = all.mean(0);
      const auto variances = all.var(0, false);
      const float* const means_of = means.const_data_ptr<float>();
      const float* const variances_of = variances.const_data_ptr<float>();
      for (std::int64_t i = 0; i < means.size(0); ++i)
        result.push_back(target_(means_of[i], variances_of[i]));
    }
    return result;
  }

  nlohmann::json save() const override {
    nlohmann::json parameters = nlohmann::json::array();
    for (const auto& parameter : ensemble_.parameters)
      parameters.push_back(
          pack(std::vector<float>(parameter.const_data_ptr<float>(),
                                  parameter.const_data_ptr<float>() + parameter.numel())));
    nlohmann::json state = {{"features", features_.save()},
                            {"members", ensemble_.members},
                            {"widths", ensemble_.widths},
                            {"parameters", parameters}};
    target_.save(state);
    return state;
  }

  void load(const nlohmann::json& state) override {
    Mlp read(*this);
    read.ensemble_.parameters.clear();
    read_state("mlp", [&] {
      read.features_.load(state.at("features"));
      read.target_.load(state);
      counts_at(state, "members").get_to(read.ensemble_.members);
      counts_at(state, "widths").get_to(read.ensemble_.widths);
      read.load_parameters(state.at("parameters"));
    });
    *this = std::move(read);
  }

 private:
  torch::Tensor inputs(std::span<const Features> rows) const {
    std::vector<float> values;
    values.reserve(rows.size() * features_.outputs());
    for (const auto& row : rows)
      for (const double value : features_(row)) values.push_back(static_cast<float>(value));
    return torch::tensor(values).view(
        {std::ssize(rows), static_cast<std::int64_t>(features_.outputs())});
  }

  /// Standardised predictions of every member: [members, rows].
  torch::Tensor answers(const torch::Tensor& x) const {
    const torch::NoGradGuard no_grad;
    return ensemble_.forward(x.unsqueeze(0).expand({ensemble_.members, -1, -1}));
  }

  /// On held-out records, of which only the member that held them out speaks: the mean of all
  /// members errs a little less, early stopping on the same records flatters a little, and the two
  /// about cancel.
  void calibrate(const torch::Tensor& x, const torch::Tensor& y, const Split& split) {
    const auto all = answers(x).to(torch::kDouble).contiguous();
    const auto variances = all.var(0, false).contiguous();
    const auto truth = y.to(torch::kDouble).contiguous();
    std::vector<double> errors;
    std::vector<double> variance;
    std::vector<double> means;
    for (std::size_t m = 0; m < split.held_out.size(); ++m) {
      for (const auto i : split.held_out[m]) {
        means.push_back(
            all.const_data_ptr<double>()[static_cast<std::int64_t>(m) * all.size(1) + i]);
        errors.push_back(means.back() - truth.const_data_ptr<double>()[i]);
        variance.push_back(variances.const_data_ptr<double>()[i]);
      }
    }
    if (!target_.calibrate(means, variance, errors))
      throw core::Error("the training of this 'mlp' predictor diverged", "use a lower rate=");
  }

  void load_parameters(const nlohmann::json& parameters) {
    const auto& widths = ensemble_.widths;
    const auto positive = [](std::int64_t number) { return number > 0 && number <= 1'000'000; };
    if (widths.size() < 2 || widths.back() != 1 || !positive(ensemble_.members) ||
        widths.front() != static_cast<std::int64_t>(features_.outputs()) ||
        !std::all_of(widths.begin() + 1, widths.end(), positive) ||
        parameters.size() != 2 * (widths.size() - 1))
      throw core::Error("the state of this 'mlp' predictor contradicts itself",
                        "fit it again and save it");
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::int64_t in = i % 2 == 0 ? widths[i / 2] : 1;
      const std::int64_t count = ensemble_.members * in * widths[i / 2 + 1];
      const auto values =
          unpack_floats(parameters[i].get<std::string>(), static_cast<std::size_t>(count));
      ensemble_.parameters.push_back(
          torch::tensor(values).view({ensemble_.members, in, widths[i / 2 + 1]}));
    }
  }

  Settings settings_;
  Standardiser features_;
  TargetScale target_;
  Ensemble ensemble_;
};

const core::Registered kEntry{
    predictors(), "mlp",
    "ensemble of multi-layer perceptrons with early stopping "
    "(hidden=64, layers=2, members=5, steps=1000, rate=0.01, decay=2, log=auto)",
    make_of<Mlp>};

}  // namespace

}  // namespace mosaic::predictors
