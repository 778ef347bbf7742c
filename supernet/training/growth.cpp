#include "training/growth.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "sharing/slots.hpp"
#include "training/gradient.hpp"
#include "training/slot_gradients.hpp"

namespace mosaic::supernet {
namespace {

constexpr std::size_t kArchitectures = 64;
constexpr std::int64_t kBatches = 16;  // in each half
/// Inner products of larger units are estimated from this many of their entries.
constexpr std::int64_t kMostEntries = 16'384;
constexpr double kLeastSignificance = 2;  // gain over its standard error

bool needs_gradients(const GrowthSettings& growth) {
  return growth.slots == "scored" || growth.questions == "scored";
}

std::vector<spaces::Genotype> asked_architectures(const spaces::Space& space, std::uint64_t seed) {
  if (auto all = space.enumerate(kArchitectures)) return *all;
  core::Stream stream(seed, "growth");
  std::vector<spaces::Genotype> result;
  for (std::size_t i = 0; i < kArchitectures; ++i) result.push_back(space.random(stream));
  return result;
}

/// Gradients of all units: [members, 2 * kBatches, architectures, entries], halves one after the
/// other; a unit that an architecture lacks has zeros.
std::vector<at::Tensor> unit_gradients(std::span<Supernet* const> members, Trainee& trainee,
                                       const Moment& now, const std::vector<GrowthUnit>& units,
                                       const std::vector<spaces::Genotype>& architectures) {
  at::NoGradGuard guard;
  const auto on_device = at::TensorOptions().device(at::Device(trainee.device()));
  std::vector<at::Tensor> result, chosen;
  for (std::size_t unit = 0; unit < units.size(); ++unit) {
    const std::int64_t entries = std::min(units[unit].entries, kMostEntries);
    if (entries < units[unit].entries)
      chosen.push_back(
          at::linspace(0, static_cast<double>(units[unit].entries - 1), entries, at::kDouble)
              .to(at::kLong)
              .to(on_device.device()));
    else
      chosen.emplace_back();
    result.push_back(at::zeros({static_cast<std::int64_t>(members.size()), 2 * kBatches,
                                static_cast<std::int64_t>(architectures.size()), entries},
                               on_device));
  }
  SlotGradients gradients(members, trainee, now.task, now.settings);
  const auto& slots = members[0]->space().graph().slots;
  for (std::int64_t batch = 0; batch < 2 * kBatches; ++batch) {
    const std::int64_t number = now.step % now.per_epoch + batch;
    const auto examples =
        training_batch(trainee, now.task, now.step / now.per_epoch + number / now.per_epoch,
                       number % now.per_epoch, now.batch_size, now.settings.batch_tokens);
    for (std::size_t a = 0; a < architectures.size(); ++a) {
      const auto of_slots = gradients(architectures[a], examples);
      for (std::size_t unit = 0; unit < units.size(); ++unit) {
        std::vector<at::Tensor> parts;
        bool used = false;
        for (const int slot : units[unit].slots) {
          const at::Tensor& gradient = of_slots[static_cast<std::size_t>(slot)];
          used = used || gradient.defined();
          parts.push_back(gradient.defined()
                              ? gradient
                              : at::zeros({static_cast<std::int64_t>(members.size()),
                                           slot_size(slots[static_cast<std::size_t>(slot)])},
                                          on_device));
        }
        if (!used) continue;
        at::Tensor row = at::cat(parts, 1);
        if (chosen[unit].defined()) row = row.index_select(1, chosen[unit]);
        result[unit].select(1, batch).select(1, static_cast<std::int64_t>(a)).copy_(row);
      }
    }
    core::check_interrupt();
  }
  return result;
}

/// [2 * kBatches, architectures, entries] -> inner products across the halves.
at::Tensor cross_products(const at::Tensor& gradients, double scale) {
  const auto architectures = gradients.size(1), entries = gradients.size(2);
  const at::Tensor first = gradients.narrow(0, 0, kBatches).reshape({-1, entries});
  const at::Tensor second = gradients.narrow(0, kBatches, kBatches).reshape({-1, entries});
  return (at::matmul(first, second.t()).to(at::kDouble) * scale)
      .view({kBatches, architectures, kBatches, architectures});
}

double cosine_distance(const at::Tensor& gradients, const std::vector<bool>& there,
                       const std::vector<bool>& yes) {
  const at::Tensor mean = gradients.mean(0);  // [architectures, entries]
  std::vector<float> left, right;
  for (std::size_t a = 0; a < there.size(); ++a) {
    left.push_back(there[a] && yes[a] ? 1.f : 0.f);
    right.push_back(there[a] && !yes[a] ? 1.f : 0.f);
  }
  const at::Tensor a = at::matmul(at::tensor(left).to(mean.device()), mean);
  const at::Tensor b = at::matmul(at::tensor(right).to(mean.device()), mean);
  return 1 - at::cosine_similarity(a, b, 0).item<double>();
}

/// A leaf that could be split, and the question to do it by.
struct Candidate {
  LeafSplit split;
  double score = 0;
};

/// Growth of one supernet at one turn.
class Growth {
 public:
  Growth(const Supernet& supernet, const std::vector<spaces::Genotype>& architectures,
         std::size_t turn)
      : supernet_(supernet),
        settings_(supernet.sharing_settings().growth),
        trees_(supernet.space().graph(), supernet.sharing_settings().split),
        stream_(supernet.seed(), "growth", turn + 1) {
    for (const auto& genotype : architectures)
      respondents_.push_back(trees_.respond(supernet.space(), genotype));
    const auto& graph = supernet.space().graph();
    for (const auto& genotype : architectures) {
      std::vector<bool> has(trees_.units().size(), false);
      for (const auto& node : supernet.space().bind(genotype).nodes)
        for (const auto& ref : node.weights)
          for (std::size_t slot = 0; slot < graph.slots.size(); ++slot)
            if (graph.slots[slot].name == ref.slot && trees_.unit_of_slot()[slot] >= 0)
              has[static_cast<std::size_t>(trees_.unit_of_slot()[slot])] = true;
      present_.push_back(std::move(has));
    }
    for (const auto& slot : graph.slots) plain_ += static_cast<double>(slot_size(slot));
    encoding_row_ = settings_.hard ? 0.0 : static_cast<double>(supernet.features());
    const double turns = static_cast<double>(supernet.sharing_settings().split_at.size());
    limit_ = 1 + (settings_.budget - 1) * static_cast<double>(turn + 1) / turns;
    sampled_ = supernet.space().genotypes() > static_cast<double>(architectures.size());
  }

  /// `gradients`: of each unit, [2 * kBatches, architectures, entries]; empty: not needed.
  std::string operator()(const std::vector<at::Tensor>& gradients) {
    auto candidates = this->candidates(gradients);
    if (settings_.slots == "random") {
      stream_.shuffle(candidates);
    } else if (settings_.slots == "scored") {
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const auto& a, const auto& b) { return a.score > b.score; });
    }  // "earliest": as they stand
    std::vector<std::string> grown;
    for (const auto& candidate : candidates) {
      const double entries = static_cast<double>(trees_.units()[unit(candidate)].entries);
      if (relative_size() + (entries + encoding_row_) / plain_ > limit_ + 1e-9) continue;
      trees_.add(candidate.split);
      grown.push_back(trees_.units()[unit(candidate)].name + " (" +
                      describe(candidate.split.question, supernet_.space().graph()) + ")");
    }
    core::log_info("grown to " + core::format_double(std::round(relative_size() * 1000) / 1000) +
                   " of the plain supernet, seed " + std::to_string(supernet_.seed()) + ": " +
                   (grown.empty() ? "nothing" : core::join(grown)));
    return trees_.text();
  }

 private:
  static std::size_t unit(const Candidate& candidate) {
    return static_cast<std::size_t>(candidate.split.unit);
  }

  /// Copies, optimiser and sharing over those of the plain supernet: an optimiser keeps as many
  /// tensors for each, so that entries can be counted.
  double relative_size() const {
    double entries = plain_ + encoding_row_ * static_cast<double>(trees_.leaves());
    for (std::size_t unit = 0; unit < trees_.units().size(); ++unit)
      entries += static_cast<double>(trees_.units()[unit].entries *
                                     (trees_.leaves(static_cast<int>(unit)) - 1));
    return entries / plain_;
  }

  std::vector<Candidate> candidates(const std::vector<at::Tensor>& gradients) {
    std::vector<Candidate> result;
    for (int unit = 0; unit < static_cast<int>(trees_.units().size()); ++unit) {
      const auto place = static_cast<std::size_t>(unit);
      at::Tensor products;
      if (!gradients.empty() && settings_.score == "gain")
        products =
            cross_products(gradients[place], static_cast<double>(trees_.units()[place].entries) /
                                                 static_cast<double>(gradients[place].size(2)));
      for (int leaf = 0; leaf < trees_.leaves(unit); ++leaf) {
        std::vector<bool> there;
        std::vector<Respondent> asked;
        for (std::size_t a = 0; a < respondents_.size(); ++a) {
          there.push_back(present_[a][place] && trees_.leaf(unit, respondents_[a]) == leaf);
          if (there.back()) asked.push_back(respondents_[a]);
        }
        const auto all = questions(supernet_.space().graph(), unit, asked);
        if (all.empty()) continue;
        const auto drawn = static_cast<std::size_t>(stream_.below(all.size()));
        const auto offered = settings_.questions == "scored" ? all : std::vector{all[drawn]};
        Candidate best{{unit, leaf, all[drawn]}, -std::numeric_limits<double>::infinity()};
        if (!gradients.empty()) {
          const auto scores = this->scores(products, gradients[place], there, offered, unit);
          for (std::size_t i = 0; i < offered.size(); ++i) {
            // Where the slot is drawn, its best question is taken whatever it gains.
            if (settings_.slots == "scored" &&
                scores[i].gain <= kLeastSignificance * scores[i].error)
              continue;
            if (scores[i].gain > best.score) best = {{unit, leaf, offered[i]}, scores[i].gain};
          }
        }
        if (settings_.slots != "scored" || std::isfinite(best.score))
          result.push_back(std::move(best));
      }
    }
    return result;
  }

  /// By entry of the unit.
  std::vector<QuestionScore> scores(const at::Tensor& products, const at::Tensor& gradients,
                                    const std::vector<bool>& there,
                                    const std::vector<Question>& offered, int unit) const {
    std::vector<std::vector<bool>> yes;
    for (const auto& question : offered) {
      yes.emplace_back();
      for (const auto& respondent : respondents_)
        yes.back().push_back(answer(question, respondent, unit));
    }
    std::vector<QuestionScore> result;
    if (settings_.score == "cosine") {
      for (const auto& answers : yes)
        result.push_back({cosine_distance(gradients, there, answers), 0});
      return result;
    }
    const auto entries =
        static_cast<double>(trees_.units()[static_cast<std::size_t>(unit)].entries);
    result = score_questions(products, there, yes, sampled_);
    for (auto& score : result) score = {score.gain / entries, score.error / entries};
    return result;
  }

  const Supernet& supernet_;
  const GrowthSettings& settings_;
  GrowthTrees trees_;
  core::Stream stream_;
  std::vector<Respondent> respondents_;
  std::vector<std::vector<bool>> present_;  ///< by architecture and unit
  double plain_ = 0;
  double encoding_row_ = 0;
  double limit_ = 1;
  bool sampled_ = false;
};

}  // namespace

std::vector<QuestionScore> score_questions(const at::Tensor& products,
                                           const std::vector<bool>& there,
                                           const std::vector<std::vector<bool>>& yes,
                                           bool sampled) {
  at::NoGradGuard guard;
  const auto batches = products.size(0), count = products.size(1);
  const auto asked = static_cast<std::int64_t>(yes.size());
  // +1 / |A| on one side, -1 / |B| on the other, 0 elsewhere: [questions, architectures].
  at::Tensor left = at::zeros({asked, count}, at::kDouble), right = at::zeros_like(left);
  for (std::int64_t q = 0; q < asked; ++q)
    for (std::int64_t a = 0; a < count; ++a)
      if (there[static_cast<std::size_t>(a)])
        (yes[static_cast<std::size_t>(q)][static_cast<std::size_t>(a)] ? left : right)[q][a] = 1.0;
  const at::Tensor n_left = left.sum(1), n_right = right.sum(1);
  const at::Tensor weight = left / n_left.unsqueeze(1) - right / n_right.unsqueeze(1);
  const at::Tensor on_device = weight.to(products.device());
  // <Delta_1, Delta_2> of every two batches: [questions, batches, batches].
  const at::Tensor of_batches =
      (at::matmul(on_device, products.permute({1, 0, 2, 3}).reshape({count, -1}))
           .view({asked, batches, batches, count}) *
       on_device.view({asked, 1, 1, count}))
          .sum(3)
          .cpu();
  const at::Tensor all = of_batches.sum({1, 2});
  const auto n = static_cast<double>(batches);
  const at::Tensor without =  // each pair of batches in turn
      (all.unsqueeze(1) - of_batches.sum(1) - of_batches.sum(2) + of_batches.diagonal(0, 1, 2)) /
      ((n - 1) * (n - 1));
  const at::Tensor error = (without.var(1, /*unbiased=*/false) * (n - 1)).sqrt();
  at::Tensor chance = at::zeros_like(all);
  if (sampled) {
    const at::Tensor mean =
        products.mean(at::IntArrayRef{0, 2}).cpu();  // [architectures, architectures]
    for (const auto& [side, size] : {std::pair(left, n_left), std::pair(right, n_right)}) {
      const at::Tensor own = at::matmul(side, mean.diagonal());
      const at::Tensor common = (at::matmul(side, mean) * side).sum(1);
      const at::Tensor spread = (own - common / size) / (size - 1) / size;
      chance += at::where(size > 1, spread, at::zeros_like(spread));
    }
  }
  const at::Tensor share = n_left * n_right / (n_left + n_right) / static_cast<double>(count);
  const at::Tensor gain = share * (all / (n * n) - chance);
  std::vector<QuestionScore> result;
  for (std::int64_t q = 0; q < asked; ++q)
    result.push_back({gain[q].item<double>(), (share * error)[q].item<double>()});
  return result;
}

double cost_of_growth(const Supernet& supernet, const TrainSettings& settings) {
  if (!needs_gradients(supernet.sharing_settings().growth)) return 0;
  const double architectures =
      std::min(static_cast<double>(kArchitectures), supernet.space().genotypes());
  return architectures * static_cast<double>(2 * kBatches * settings.batch_size);
}

std::vector<std::string> choose_growth(std::span<Supernet* const> members, Trainee& trainee,
                                       const Moment& now, std::size_t turn) {
  const auto& space = members[0]->space();
  const auto architectures = asked_architectures(space, members[0]->seed());
  std::vector<at::Tensor> gradients;
  if (needs_gradients(members[0]->sharing_settings().growth))
    gradients = unit_gradients(members, trainee, now, growth_units(space.graph()), architectures);
  std::vector<std::string> result;
  for (std::size_t member = 0; member < members.size(); ++member) {
    std::vector<at::Tensor> own;
    for (const auto& of_unit : gradients) own.push_back(of_unit[static_cast<std::int64_t>(member)]);
    result.push_back(Growth(*members[member], architectures, turn)(own));
  }
  return result;
}

}  // namespace mosaic::supernet
