#include "mosaic/predictors/drift.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gp.hpp"
#include "mosaic/core/ranking.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr std::size_t kFewest = 60;
constexpr std::size_t kHalfWindow = 20;  // a running median over 41 rows
constexpr std::size_t kReach = 30;       // how far a stretch may go on beyond what the median shows
constexpr std::size_t kShortest = 8;     // rows of a stretch
constexpr double kOutlier = 4;           // robust standard deviations
constexpr double kUnsteady = 2;          // times the usual spread: a stretch of no common factor
constexpr double kLeastWandering = 0.02;  // share of variance
constexpr int kPasses = 4;
constexpr double kApart = 2;  // robust standard deviations between a stretch and the usual
constexpr std::size_t kModelRecords = 800;  // that say what is usual
const double kLeastFactor = std::log(1.1);

using Values = std::vector<double>;

/// Standard deviation by the median absolute deviation from `centre`.
double robust_spread(Values values, double centre) {
  for (double& value : values) value = std::abs(value - centre);
  return 1.4826 * core::median(std::move(values));
}

Values select(const Values& values, const std::vector<bool>& without) {
  Values result;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!without[i]) result.push_back(values[i]);
  return result;
}

/// log target minus what the other rows say it should be; rows `without` do not speak.
Values residuals(const std::vector<Features>& rows, const Values& logs,
                 const std::vector<bool>& without, GaussianProcess& process, std::uint64_t seed) {
  std::vector<std::size_t> index;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!without[i]) index.push_back(i);
  process.refit(core::pick(rows, index), core::pick(logs, index), seed);
  Values result(rows.size());
  const auto answers = process.predict(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) result[i] = logs[i] - answers[i].mean;
  const auto left = process.leave_one_out();
  for (std::size_t k = 0; k < left.residual.size(); ++k)
    result[index[process.used()[k]]] = left.residual[k];
  return result;
}

/// The running median; at the ends, of the rows that there are.
Values running_median(const Values& values) {
  Values result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t begin = i < kHalfWindow ? 0 : i - kHalfWindow;
    const std::size_t end = std::min(values.size(), i + kHalfWindow + 1);
    result[i] = core::median({values.begin() + static_cast<std::ptrdiff_t>(begin),
                              values.begin() + static_cast<std::ptrdiff_t>(end)});
  }
  return result;
}

/// The bounds, [begin - kReach, end + kReach) or tighter, between which rows are nearer to `level`
/// than to 0 in sum: each row says +1 (at the level or beyond) to -1 (at 0 or below).
std::pair<std::size_t, std::size_t> sharpened(const Values& residual, std::size_t begin,
                                              std::size_t end, double level, std::size_t floor) {
  const auto says = [&](std::size_t i) {
    return std::clamp(2 * residual[i] / level - 1, -1.0, 1.0);
  };
  const std::size_t middle = (begin + end) / 2;
  const std::size_t lowest = std::max(floor, begin < kReach ? 0 : begin - kReach);
  const std::size_t highest = std::min(residual.size(), end + kReach);
  double sum = 0;
  double best = 0;
  std::size_t first = middle;
  for (std::size_t i = middle; i-- > lowest;) {
    sum += says(i);
    if (sum > best) {
      best = sum;
      first = i;
    }
  }
  sum = best = 0;
  std::size_t last = middle;
  for (std::size_t i = middle; i < highest; ++i) {
    sum += says(i);
    if (sum > best) {
      best = sum;
      last = i + 1;
    }
  }
  return {first, last};
}

std::vector<Stretch> find_stretches(const Values& residual, double spread) {
  const Values running = running_median(residual);
  const double error = 1.2533 * spread / std::sqrt(2 * kHalfWindow + 1.0);
  const double least = std::max(kLeastFactor, 4 * error);
  std::vector<Stretch> stretches;
  std::size_t floor = 0;
  for (std::size_t i = 0; i < residual.size();) {
    if (std::abs(running[i]) <= least || i < floor) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < residual.size() && std::abs(running[end]) > least &&
           (running[end] > 0) == (running[i] > 0))
      ++end;
    const auto at = [&](std::size_t k) {
      return residual.begin() + static_cast<std::ptrdiff_t>(k);
    };
    double level = core::median({at(i), at(end)});
    if (std::abs(level) < least) level = running[(i + end) / 2];
    auto [first, last] = sharpened(residual, i, end, level, floor);
    if (last >= first + kShortest) {
      level = core::median({at(first), at(last)});
      const double inside = robust_spread({at(first), at(last)}, level);
      if (std::abs(level) > std::max(kLeastFactor, kApart * spread))
        stretches.push_back({first, last - 1, std::exp(level), inside < kUnsteady * spread});
      floor = last;
    }
    i = std::max(end, floor);
  }
  return stretches;
}

/// The mean of the residuals around each row, itself left out, drawn to 0 where few speak.
Values smoothed(const Values& residual, const std::vector<bool>& without, double width) {
  const auto reach = static_cast<std::ptrdiff_t>(4 * width);
  Values result(residual.size(), 0.0);
  for (std::ptrdiff_t i = 0; i < std::ssize(residual); ++i) {
    double sum = 0;
    double weights = 1;
    const std::ptrdiff_t end = std::min(std::ssize(residual), i + reach + 1);
    for (std::ptrdiff_t k = std::max<std::ptrdiff_t>(0, i - reach); k < end; ++k) {
      if (k == i || without[static_cast<std::size_t>(k)]) continue;
      const double z = static_cast<double>(k - i) / width;
      const double weight = std::exp(-0.5 * z * z);
      weights += weight;
      sum += weight * residual[static_cast<std::size_t>(k)];
    }
    result[static_cast<std::size_t>(i)] = sum / weights;
  }
  return result;
}

/// The wandering that explains most of the residuals, 0 where none does; returns the share
/// explained.
double find_wandering(const Values& residual, const std::vector<bool>& without, Values& wandering) {
  wandering.assign(residual.size(), 0.0);
  double best = kLeastWandering;
  double share = 0;
  for (const double width : {3.0, 6.0, 12.0}) {
    Values attempt = smoothed(residual, without, width);
    double before = 0;
    double after = 0;
    for (std::size_t i = 0; i < residual.size(); ++i) {
      if (without[i]) continue;
      before += residual[i] * residual[i];
      after += (residual[i] - attempt[i]) * (residual[i] - attempt[i]);
    }
    if (!(before > 0) || 1 - after / before <= best) continue;
    best = share = 1 - after / before;
    wandering = std::move(attempt);
  }
  return share;
}

}  // namespace

bool Drift::in_stretch(std::size_t row) const {
  return std::any_of(stretches.begin(), stretches.end(), [&](const Stretch& stretch) {
    return stretch.first <= row && row <= stretch.last;
  });
}

Drift detect_slow_stretches(const std::vector<Features>& rows, const std::vector<double>& targets,
                            std::uint64_t seed) {
  check_records(rows, targets);
  const std::size_t count = rows.size();
  Drift drift;
  drift.speed.assign(count, 1.0);
  drift.left_out.assign(count, false);
  if (count < kFewest || !log_possible(targets, LogTarget::automatic)) return drift;
  Values logs = targets;
  for (double& value : logs) value = std::log(value);

  GpSettings settings;
  settings.steps = 30;
  settings.most_records = kModelRecords;
  GaussianProcess process(settings);
  Values offset(count, 0.0);  // of stretches and wandering, as known so far
  Values stretch_offset(count, 0.0);
  Values wandering(count, 0.0);
  for (int pass = 0; pass < kPasses; ++pass) {
    if (pass == 2) process = GaussianProcess(settings);  // hyperparameters of clean rows
    Values cleaned = logs;
    for (std::size_t i = 0; i < count; ++i) cleaned[i] -= offset[i];
    Values residual = residuals(rows, cleaned, drift.left_out, process, seed);
    for (std::size_t i = 0; i < count; ++i) residual[i] += offset[i];
    // The usual level is that of the rows in no stretch.
    std::vector<bool> off(count, false);
    for (std::size_t i = 0; i < count; ++i) off[i] = drift.left_out[i] || drift.in_stretch(i);
    const double centre = core::median(select(residual, off));
    for (double& value : residual) value -= centre;
    const double spread = robust_spread(select(residual, off), 0);

    drift.stretches = find_stretches(residual, spread);
    std::fill(stretch_offset.begin(), stretch_offset.end(), 0.0);
    drift.left_out.assign(count, false);
    for (const Stretch& stretch : drift.stretches)
      for (std::size_t i = stretch.first; i <= stretch.last; ++i) {
        stretch_offset[i] = std::log(stretch.factor);
        drift.left_out[i] = !stretch.corrected;
      }
    for (std::size_t i = 0; i < count; ++i) residual[i] -= stretch_offset[i];
    for (std::size_t i = 0; i < count; ++i)
      if (std::abs(residual[i]) > kOutlier * spread) drift.left_out[i] = true;
    drift.wandering = find_wandering(residual, drift.left_out, wandering);
    for (std::size_t i = 0; i < count; ++i) offset[i] = stretch_offset[i] + wandering[i];
  }
  for (std::size_t i = 0; i < count; ++i) drift.speed[i] = std::exp(offset[i]);
  return drift;
}

std::string describe(const Drift& drift) {
  std::string text;
  for (const Stretch& stretch : drift.stretches)
    text +=
        fmt::format("rows {}-{} are {:.2f} times {}{}\n", stretch.first + 1, stretch.last + 1,
                    stretch.factor > 1 ? stretch.factor : 1 / stretch.factor,
                    stretch.factor > 1 ? "slow" : "fast", stretch.corrected ? "" : " and unsteady");
  return text;
}

}  // namespace mosaic::predictors
