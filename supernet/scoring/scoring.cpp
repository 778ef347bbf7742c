#include "mosaic/supernet/scoring/scoring.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <future>
#include <optional>

#include "engine/channels.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/supernet/scoring/generation.hpp"
#include "networks/members.hpp"
#include "scoring/forward.hpp"
#include "scoring/measures.hpp"

namespace mosaic::supernet {
namespace {

template <class Nodes>
bool has_norms(const Nodes& nodes) {
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const auto& node) { return node.op == "batch_norm"; });
}

bool is_normalised(const Program& program) {
  return std::any_of(program.steps().begin(), program.steps().end(),
                     [](const auto& step) { return step.node.op == "batch_norm"; });
}

/// The training examples that calibrate, batch by batch: what a network is given.
void each_calibration_batch(const tasks::Task& task, std::int64_t examples,
                            const std::function<void(const NamedTensors&)>& use) {
  constexpr std::int64_t kBatch = 256;
  const std::int64_t size = task.size(tasks::Split::train), wanted = std::min(examples, size);
  if (wanted < 1) return;
  const std::int64_t batch = std::min(kBatch, wanted);
  // A last piece much smaller than the rest would count as much as a whole batch.
  const std::int64_t batches = std::min((wanted + batch / 2) / batch, size / batch);
  for (std::int64_t index = 0; index < batches; ++index)
    use(task.batch({.begin = index * batch, .count = batch, .epoch = 0}).inputs);
}

/// The first examples of a split (0: all), batch by batch; `writes`: it takes long.
void each_batch(const tasks::Task& task, tasks::Split split, std::int64_t examples,
                std::int64_t batch_size, bool writes,
                const std::function<void(const tasks::Batch&)>& use) {
  const std::int64_t size = task.size(split);
  const std::int64_t count = examples > 0 ? std::min(examples, size) : size;
  if (count == 0)
    throw core::Error("task '" + task.name() + "' has no " + tasks::to_string(split) + " examples",
                      "give the task a folder with that split, or another share for validation");
  std::optional<core::Activity> activity;
  if (writes) activity.emplace("write answers");
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    core::check_interrupt();
    if (activity)
      activity->say("write answers: " + core::with_commas(begin) + " of " +
                    core::with_commas(count));
    use(task.batch({.split = split, .begin = begin, .count = std::min(batch_size, count - begin)}));
  }
}

std::vector<at::Tensor> answers(std::vector<StepwiseNetwork>& writers, const NamedTensors& inputs,
                                const tasks::Writing& how) {
  std::vector<at::Tensor> result;
  for (auto& writer : writers) result.push_back(write(writer, inputs, how));
  return result;
}

/// Of one network. `stepwise` makes it ready to write.
Score evaluate_one(const std::function<at::Tensor(const NamedTensors&)>& forward,
                   const std::function<StepwiseNetwork(const std::string& written)>& stepwise,
                   const tasks::Task& task, tasks::Split split, std::int64_t examples,
                   std::int64_t batch_size, const std::vector<std::string>& names) {
  const at::NoGradGuard guard;
  const Measures measures(task, names);
  std::vector<StepwiseNetwork> writers;
  if (measures.any_of_written()) writers.push_back(stepwise(task.writing().value().input));
  std::vector<Numbers> numbers;
  each_batch(task, split, examples, batch_size, !writers.empty(), [&](const tasks::Batch& batch) {
    if (measures.any_of_outputs())
      numbers.push_back(
          measures.of_outputs(forward(batch.inputs).to(at::kFloat).unsqueeze(0), batch.targets));
    if (!writers.empty())
      numbers.push_back(
          measures.of_written(answers(writers, batch.inputs, *task.writing()), batch.targets));
  });
  fetch(core::mapped(numbers, [](auto& own) { return &own; }));
  return measures.scores(numbers, 1)[0];
}

/// The lengths that examples have at most.
spaces::Symbols longest_of(const spaces::TaskShape& task) {
  spaces::Symbols longest = task.typical;
  for (const auto& port : task.inputs)
    if (port.longest > 0)
      for (const auto& dim : port.shape)
        for (const auto& symbol : dim.symbols) longest[symbol] = port.longest;
  return longest;
}

std::int64_t size_of(const std::vector<spaces::Dim>& shape, const spaces::Symbols& symbols) {
  std::int64_t result = 1;
  for (const auto& dim : shape) result *= dim.value(symbols);
  return result;
}

/// The most numbers that blocks hand over of an example, in all networks together.
std::int64_t handed_over(const Program& program, const spaces::TaskShape& task) {
  const auto longest = longest_of(task);
  std::int64_t result = 1;
  for (const auto& block : blocks_of(program))
    for (const int value : block.outputs) {
      const auto& step = program.steps()[static_cast<std::size_t>(value - program.value_of(0))];
      if (step.rows.empty())
        result +=
            static_cast<std::int64_t>(step.networks.size()) * size_of(step.node.shape, longest);
    }
  return result;
}

/// What is scored, and what becomes of it.
struct Contestant {
  std::optional<Networks> networks = {};  ///< nothing: not there yet
  Statistics statistics = {};
  std::vector<StepwiseNetwork> writers = {};
  std::vector<Numbers> numbers = {};
  std::exception_ptr error = {};
};

/// Scores contestants of so many networks each, all on the same batches.
class Contest {
 public:
  /// `largest`: of the programs.
  Contest(const tasks::Task& task, Scoring scoring, std::string device, const Program& largest,
          bool record)
      : task_(task),
        scoring_(std::move(scoring)),
        device_(std::move(device)),
        networks_(largest.networks()),
        measures_(task, scoring_.metrics),
        forward_(measures_, device_, in_bfloat16(), record),
        batch_size_(batch_size(largest)) {
    if (in_bfloat16() && device_ == "cpu")
      throw core::UsageError("scores in bfloat16 need a GPU", "use precision = \"float32\"");
  }

  bool writes() const { return measures_.any_of_written(); }
  bool in_bfloat16() const { return scoring_.precision == "bfloat16"; }
  /// Until all was launched, the last time.
  double host_seconds() const { return host_seconds_; }
  Forward& forward() { return forward_; }
  const Forward& forward() const { return forward_; }

  /// `prepare` makes those of a contestant by number, `stepwise` networks
  /// that write; `normalised`: is any contestant?
  void operator()(std::vector<Contestant>& all, bool normalised,
                  const std::function<Networks(std::size_t)>& prepare,
                  const std::function<StepwiseNetwork(std::size_t, std::size_t network,
                                                      const std::string& written)>& stepwise) {
    const core::Stopwatch watch;
    const at::NoGradGuard guard;
    auto& context = at::globalContext();
    const auto reset = c10::make_scope_exit(
        [&, before = context.allowTF32CuDNN()] { context.setAllowTF32CuDNN(before); });
    context.setAllowTF32CuDNN(scoring_.precision == "tf32");
    const OwnStream own(device_);
    std::optional<Given> given;  // the same batch for all
    const auto each = [&](const auto& work) {
      given.reset();
      for (std::size_t i = 0; i < all.size(); ++i) {
        core::check_interrupt();
        attempt(all[i], [&] {
          if (!all[i].networks) all[i].networks = prepare(i);
          work(i, all[i]);
        });
      }
    };
    if (normalised)
      each_calibration_batch(task_, scoring_.calibration, [&](const NamedTensors& inputs) {
        each([&](std::size_t, Contestant& one) {
          if (!is_normalised(one.networks->program)) return;
          if (!given) given = forward_.given(*one.networks, repeated(inputs, networks_), {});
          forward_.calibrate(*one.networks, *given, one.statistics);
        });
      });
    const auto how = task_.writing();
    each_batch(task_, scoring_.split, scoring_.examples, batch_size_, writes(),
               [&](const tasks::Batch& batch) {
                 each([&](std::size_t i, Contestant& one) {
                   if (measures_.any_of_outputs()) {
                     if (!given)
                       given = forward_.given(*one.networks, repeated(batch.inputs, networks_),
                                              batch.targets);
                     one.numbers.push_back(forward_.measure(*one.networks, *given, one.statistics));
                   }
                   if (!writes()) return;
                   for (std::size_t k = one.writers.size(); k < networks_; ++k)
                     one.writers.push_back(stepwise(i, k, how.value().input));
                   one.numbers.push_back(measures_.of_written(
                       answers(one.writers, batch.inputs, *how), batch.targets));
                 });
               });
    host_seconds_ = watch.seconds();
    std::vector<Numbers*> numbers;
    for (auto& one : all)
      if (!one.error)
        for (auto& own_numbers : one.numbers) numbers.push_back(&own_numbers);
    fetch(numbers);
  }

  std::vector<Score> scores(const Contestant& one) const {
    if (one.error) std::rethrow_exception(one.error);
    return measures_.scores(one.numbers, networks_);
  }

  /// What fails, fails for one contestant.
  template <class Work>
  static void attempt(Contestant& one, const Work& work) {
    if (one.error) return;
    try {
      work();
    } catch (const core::Interrupted&) {
      throw;
    } catch (...) {
      one.error = std::current_exception();
    }
  }

 private:
  std::int64_t batch_size(const Program& largest) const {
    constexpr std::int64_t kBatch = 250, kExamplesOnGpu = 8000;  // of all networks
    constexpr std::int64_t kMostOutputs = 1 << 29;               // 2 GiB of float32
    const bool on_cpu = device_ == "cpu";
    const std::int64_t most_handed = on_cpu ? 1LL << 28 : 1LL << 31;  // they stay there
    const auto count = static_cast<std::int64_t>(networks_);
    // One network may be of any size; many are side by side because they are small.
    const std::int64_t usual = scoring_.batch_size > 0 ? scoring_.batch_size
                               : on_cpu                ? kBatch
                               : count == 1            ? 2 * kBatch
                                                       : std::max(kBatch, kExamplesOnGpu / count);
    const auto& shape = task_.shape();
    const std::int64_t outputs = count * size_of(shape.output, longest_of(shape));
    return std::clamp<std::int64_t>(
        std::min(kMostOutputs / outputs, most_handed / handed_over(largest, shape)), 1, usual);
  }

  const tasks::Task& task_;
  Scoring scoring_;
  std::string device_;
  std::size_t networks_;
  Measures measures_;
  Forward forward_;
  std::int64_t batch_size_;
  double host_seconds_ = 0;
};

/// As it is trained, but for auxiliary losses; without sources.
Networks compiled(spaces::Graph graph, std::size_t networks) {
  graph.losses.clear();
  Networks result{Program::compile(std::move(graph), static_cast<int>(networks), "forward",
                                   /*training=*/true),
                  {}};
  result.blocks = blocks_of(result.program);
  return result;
}

/// Networks of a group, compiled by a thread of their own while those before them are launched.
class Compilation {
 public:
  Compilation(const spaces::Space& space, std::span<const spaces::Genotype> group,
              std::size_t networks)
      : made_(group.size()) {
    all_ = std::async(std::launch::async, [this, &space, group, networks] {
      for (std::size_t i = 0; i < group.size(); ++i) try {
          made_[i].set_value(compiled(space.bind(group[i]), networks));
        } catch (...) {
          made_[i].set_exception(std::current_exception());
        }
    });
  }
  /// Once for each.
  Networks take(std::size_t i) { return made_[i].get_future().get(); }

 private:
  std::vector<std::promise<Networks>> made_;
  std::future<void> all_;  ///< the last, which waits for the thread
};

}  // namespace

NormStats calibrate(const std::function<void(const NamedTensors&, NormStats*)>& forward,
                    const spaces::Graph& graph, const tasks::Task& task, std::int64_t examples) {
  const at::NoGradGuard guard;
  NormStats stats;
  if (has_norms(graph.nodes))
    each_calibration_batch(task, examples,
                           [&](const NamedTensors& inputs) { forward(inputs, &stats); });
  return stats;
}

Score evaluate(const std::function<at::Tensor(const NamedTensors&)>& forward,
               const tasks::Task& task, tasks::Split split, std::int64_t examples,
               std::int64_t batch_size) {
  return evaluate_one(forward, {}, task, split, examples, batch_size, {});
}

Score evaluate(const Subnet& subnet, const tasks::Task& task, tasks::Split split, bool written) {
  std::vector<std::string> names;
  for (const auto& type : tasks::all_metrics(task))
    if (written || !type.of_written) names.push_back(type.name);
  const auto stepwise = [&](const std::string& input) {
    return StepwiseNetwork(subnet.graph(), input,
                           [&](const spaces::WeightRef& ref) { return subnet.weight(ref); });
  };
  return evaluate_one([&](const NamedTensors& inputs) { return subnet.forward(inputs); }, stepwise,
                      task, split, 0, 500, names);
}

std::string precision_text(const std::string& precision) {
  return precision == "float32" ? std::string() : ", in " + precision;
}

class Scorer::Parts {
 public:
  Parts(std::span<Supernet* const> supernets, const tasks::Task& task, Scoring scoring, bool record)
      : supernets_(supernets.begin(), supernets.end()),
        members_(std::in_place, supernets_),
        contest_(task, std::move(scoring), supernets_[0]->device(),
                 compiled(space().bind(space().largest()), supernets_.size()).program,
                 record && members_->same_parts()) {}

  void operator()(std::span<const spaces::Genotype> genotypes, const Sink& sink) {
    for (std::size_t begin = 0; begin < genotypes.size();) {
      const auto group = genotypes.subspan(begin, std::min(at_once_, genotypes.size() - begin));
      const core::Stopwatch watch;
      std::vector<Contestant> all(group.size());
      score(group, all);
      const double share = 1 / static_cast<double>(group.size());
      const double seconds = share * watch.seconds(), host = share * contest_.host_seconds();
      at_once_ = most_at_once(seconds);
      for (std::size_t i = 0; i < group.size(); ++i) {
        Scored scored{.seconds = seconds, .host_seconds = host};
        Contest::attempt(all[i], [&] { scored.scores = contest_.scores(all[i]); });
        scored.error = all[i].error;
        sink(begin + i, scored);
      }
      begin += group.size();
    }
  }

  std::size_t recorded() const { return contest_.forward().recorded(); }

 private:
  /// So many that they take about a second, and that what they keep is little.
  std::size_t most_at_once(double seconds_each) const {
    constexpr double kSeconds = 1, kMost = 100;
    if (contest_.writes() || !members_->same_parts()) return 1;
    return static_cast<std::size_t>(std::clamp(kSeconds / seconds_each, 1.0, kMost));
  }

  const spaces::Space& space() const { return supernets_[0]->space(); }

  void score(std::span<const spaces::Genotype> group, std::vector<Contestant>& all) {
    Compilation compilation(space(), group, supernets_.size());
    const bool current = members_->current();
    contest_.forward().forget(!current);
    if (!current) members_.emplace(supernets_);
    // What is copied to the device waits for it: before there is anything to wait for.
    for (const auto& genotype : group)
      for (const auto* supernet : supernets_) (void)supernet->encoding(genotype);
    const Mode mode{.bfloat16 = contest_.in_bfloat16()};
    contest_(
        all, has_norms(space().graph().nodes),
        [&](std::size_t i) {
          Networks networks = compilation.take(i);
          networks.sources = members_->sources(group[i], networks.program, mode);
          return networks;
        },
        [&](std::size_t i, std::size_t network, const std::string& written) {
          const auto graph = space().bind(group[i]);
          return StepwiseNetwork(graph, written, supernets_[network]->weights(group[i], graph));
        });
  }

  std::vector<Supernet*> supernets_;
  std::optional<Members> members_;
  Contest contest_;
  std::size_t at_once_ = 1;
};

Scorer::Scorer(std::span<Supernet* const> supernets, const tasks::Task& task, Scoring scoring,
               bool record)
    : parts_(std::make_unique<Parts>(supernets, task, std::move(scoring), record)) {}

Scorer::~Scorer() = default;

void Scorer::operator()(std::span<const spaces::Genotype> genotypes, const Sink& sink) {
  (*parts_)(genotypes, sink);
}

std::size_t Scorer::recorded() const { return parts_->recorded(); }

std::vector<Score> score_supernets(std::span<Supernet* const> supernets,
                                   const spaces::Genotype& genotype, const tasks::Task& task,
                                   const Scoring& scoring) {
  std::vector<Score> result;
  Scorer(supernets, task, scoring, /*record=*/false)({&genotype, 1},
                                                     [&](std::size_t, const Scored& scored) {
                                                       if (scored.error)
                                                         std::rethrow_exception(scored.error);
                                                       result = scored.scores;
                                                     });
  return result;
}

std::vector<Score> score_subnets(std::span<Subnet* const> subnets, const tasks::Task& task,
                                 const Scoring& scoring) {
  const at::NoGradGuard guard;
  std::vector<spaces::Graph> graphs;
  for (const auto* subnet : subnets) {
    graphs.push_back(subnet->graph());
    graphs.back().losses.clear();
  }
  Networks networks{Program::compile(core::mapped(graphs, [](const auto& graph) { return &graph; }),
                                     "forward", /*training=*/true),
                    {}};
  networks.blocks = blocks_of(networks.program);
  for (const auto& weight : networks.program.weights()) {
    std::vector<at::Tensor> rows;
    for (const int network : weight.networks)
      rows.push_back(subnets[static_cast<std::size_t>(network)]->weights().at(weight.ref.slot));
    networks.sources.slots.push_back(
        {at::stack(rows).unsqueeze(1), -1, scoring.precision == "bfloat16" && weight.factor});
  }
  std::vector<Contestant> all(1);
  Contest contest(task, scoring, subnets[0]->device(), networks.program, /*record=*/false);
  contest(
      all, is_normalised(networks.program), [&](std::size_t) { return networks; },
      [&](std::size_t, std::size_t network, const std::string& written) {
        const auto& subnet = *subnets[network];
        return StepwiseNetwork(subnet.graph(), written,
                               [&](const spaces::WeightRef& ref) { return subnet.weight(ref); });
      });
  return contest.scores(all[0]);
}

}  // namespace mosaic::supernet
