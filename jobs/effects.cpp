#include "mosaic/jobs/effects.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace mosaic::jobs {

void Effects::Moments::add(double value) {
  ++count;
  const double before = value - mean;
  mean += before / static_cast<double>(count);
  squares += before * (value - mean);
}

Effects::Effects(const std::vector<spaces::Gene>& genes) : genes_(genes) {
  for (const auto& gene : genes) options_.emplace_back(gene.labels.size() + 1);
}

void Effects::add(const spaces::Genotype& genotype, const std::vector<bool>& active, double value) {
  for (std::size_t i = 0; i < genes_.size(); ++i)
    (active[i] ? options_[i][static_cast<std::size_t>(genotype[i])] : options_[i].back())
        .add(value);
}

OptionEffect Effects::effect(const std::string& option, const Moments& moments) {
  OptionEffect result{option, moments.count, moments.mean, std::nullopt};
  if (moments.count < 3) return result;
  const double freedom = static_cast<double>(moments.count - 1);
  const boost::math::students_t student(freedom);
  result.half_width = boost::math::quantile(student, 0.975) *
                      std::sqrt(moments.squares / freedom / static_cast<double>(moments.count));
  return result;
}

std::optional<double> Effects::explained(const std::vector<Moments>& options) {
  double n = 0;
  double k = 0;
  double sum = 0;
  double within = 0;
  for (const auto& option : options) {
    if (option.count == 0) continue;
    n += static_cast<double>(option.count);
    k += 1;
    sum += static_cast<double>(option.count) * option.mean;
    within += option.squares;
  }
  double between = 0;
  for (const auto& option : options)
    between += static_cast<double>(option.count) * std::pow(option.mean - sum / n, 2);
  if (n <= k || within + between <= 0) return std::nullopt;
  return std::max(0.0, 1 - within / (n - k) / ((within + between) / (n - 1)));
}

std::vector<DecisionEffect> Effects::decisions() const {
  std::vector<DecisionEffect> result;
  for (std::size_t i = 0; i < genes_.size(); ++i) {
    auto moments = options_[i];
    const auto inactive = moments.back();
    moments.pop_back();
    DecisionEffect decision{genes_[i].name, {}, std::nullopt, explained(moments)};
    for (std::size_t k = 0; k < moments.size(); ++k)
      if (moments[k].count > 0) decision.options.push_back(effect(genes_[i].labels[k], moments[k]));
    if (inactive.count > 0) decision.inactive = effect("(inactive)", inactive);
    result.push_back(std::move(decision));
  }
  std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
    return a.explained.value_or(-1) > b.explained.value_or(-1);
  });
  return result;
}

}  // namespace mosaic::jobs
