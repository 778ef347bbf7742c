#include "records.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "mosaic/core/json_numbers.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"

namespace mosaic::predictors {

namespace {

constexpr double kLogRange = 1.5;          // log=auto: largest target over smallest
constexpr std::size_t kFewestRecords = 4;  // that a predictor is fitted to

void check_row(const Features& row, std::size_t number, std::size_t width) {
  if (row.size() != width)
    throw core::Error("record " + std::to_string(number) + " has " + std::to_string(row.size()) +
                          " features where " + std::to_string(width) + " are expected",
                      "make all records with the same feature extractor");
  for (std::size_t column = 0; column < width; ++column)
    if (!std::isfinite(row[column]))
      throw core::Error("feature " + std::to_string(column + 1) + " of record " +
                            std::to_string(number) + " is " + core::format_double(row[column]),
                        "features must be finite: leave this record out");
}

template <class Bits, class Number>
std::string pack_bits(const std::vector<Number>& values) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(values.size() * sizeof(Bits) * 2);
  for (const Number value : values) {
    const Bits bits = std::bit_cast<Bits>(value);
    for (int shift = static_cast<int>(sizeof(Bits)) * 8 - 4; shift >= 0; shift -= 4)
      text += kDigits[(bits >> shift) & 15u];
  }
  return text;
}

template <class Bits, class Number>
std::vector<Number> unpack_bits(const std::string& text, std::size_t count) {
  const std::size_t digits = sizeof(Bits) * 2;
  const auto damaged = [&](const std::string& what) {
    return core::Error("a block of " + std::to_string(count) + " numbers " + what,
                       "the file is damaged: fit the predictor again and save it");
  };
  if (text.size() != count * digits)
    throw damaged("holds " + std::to_string(text.size() / digits) + " instead");
  std::vector<Number> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits = 0;
    for (std::size_t d = 0; d < digits; ++d) {
      const char c = text[i * digits + d];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) throw damaged("holds the character '" + std::string(1, c) + "'");
      bits = static_cast<Bits>(bits << 4) | static_cast<Bits>(digit);
    }
    values[i] = std::bit_cast<Number>(bits);
    if (!std::isfinite(values[i])) throw damaged("holds one that is not finite");
  }
  return values;
}

}  // namespace

void check_records(const std::vector<Features>& rows, const std::vector<double>& targets) {
  if (rows.size() != targets.size())
    throw core::Error(std::to_string(rows.size()) + " rows of features for " +
                          std::to_string(targets.size()) + " targets",
                      "give one target for each row");
  if (rows.size() < kFewestRecords)
    throw core::Error("a predictor cannot be fitted to " + std::to_string(rows.size()) +
                          " records: it needs at least 4",
                      "measure more networks");
  if (rows.front().empty())
    throw core::Error("the records have no features", "give at least one number for each network");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    check_row(rows[i], i + 1, rows.front().size());
    if (!std::isfinite(targets[i]))
      throw core::Error("the target of record " + std::to_string(i + 1) + " is " +
                            core::format_double(targets[i]),
                        "targets must be finite: leave failed measurements out");
  }
}

void check_rows(const std::vector<Features>& rows, std::size_t width) {
  if (width == 0) throw core::Error("this predictor is not fitted", "call fit() or load() first");
  for (std::size_t i = 0; i < rows.size(); ++i) check_row(rows[i], i + 1, width);
}

std::vector<std::vector<std::size_t>> networks_of(const std::vector<Features>& rows) {
  std::vector<std::vector<std::size_t>> networks;
  std::map<Features, std::size_t> known;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [found, is_new] = known.emplace(rows[i], networks.size());
    if (is_new) networks.emplace_back();
    networks[found->second].push_back(i);
  }
  return networks;
}

Folds::Folds(const std::vector<Features>& rows, std::size_t most, std::uint64_t seed,
             const char* stream) {
  if (deal(networks_of(rows), most, seed, stream)) return;
  std::vector<std::vector<std::size_t>> single;
  for (std::size_t i = 0; i < rows.size(); ++i) single.push_back({i});
  deal(single, most, seed, stream);
}

/// False where some fold leaves too little to learn from.
bool Folds::deal(const std::vector<std::vector<std::size_t>>& networks, std::size_t most,
                 std::uint64_t seed, const char* stream) {
  const auto order = core::Stream(seed, stream).permutation(networks.size());
  count_ = std::min(most, order.size());
  dealt_.clear();
  std::vector<std::size_t> sizes(count_, 0);
  for (std::size_t i = 0; i < order.size(); ++i)
    for (const auto record : networks[order[i]]) {
      dealt_.emplace_back(record, i % count_);
      ++sizes[i % count_];
    }
  return *std::max_element(sizes.begin(), sizes.end()) + kFewestRecords <= dealt_.size();
}

Folds::Split Folds::split(std::size_t fold) const {
  Split split;
  for (const auto& [record, its] : dealt_)
    (its == fold ? split.unseen : split.known).push_back(record);
  return split;
}

const nlohmann::json& counts_at(const nlohmann::json& state, const char* key) {
  const auto& counts = state.at(key);
  core::check_numbers(counts, "predictor", "fit it again and save it");
  return counts;
}

void Standardiser::fit(const std::vector<Features>& rows) {
  inputs_ = rows.front().size();
  columns_.clear();
  mean_.clear();
  scale_.clear();
  const double count = static_cast<double>(rows.size());
  for (std::size_t column = 0; column < inputs_; ++column) {
    double mean = 0;
    double largest = 0;
    for (const Features& row : rows) {
      mean += row[column] / count;
      largest = std::max(largest, std::abs(row[column]));
    }
    double variance = 0;
    for (const Features& row : rows) variance += std::pow(row[column] - mean, 2) / count;
    const double scale = std::sqrt(variance);
    if (!(scale > 1e-12 * largest) || !std::isfinite(scale)) continue;
    columns_.push_back(column);
    mean_.push_back(mean);
    scale_.push_back(scale);
  }
}

Features Standardiser::operator()(const Features& row) const {
  Features result(columns_.size());
  apply(row, result.data());
  return result;
}

void Standardiser::apply(const Features& row, double* result) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    result[i] = (row[columns_[i]] - mean_[i]) / scale_[i];
}

nlohmann::json Standardiser::save() const {
  return {{"inputs", inputs_}, {"columns", columns_}, {"mean", mean_}, {"scale", scale_}};
}

void Standardiser::load(const nlohmann::json& state) {
  Standardiser read;
  counts_at(state, "inputs").get_to(read.inputs_);
  counts_at(state, "columns").get_to(read.columns_);
  state.at("mean").get_to(read.mean_);
  state.at("scale").get_to(read.scale_);
  const auto beyond = [&](std::size_t column) { return column >= read.inputs_; };
  if (read.mean_.size() != read.columns_.size() || read.scale_.size() != read.columns_.size() ||
      std::any_of(read.columns_.begin(), read.columns_.end(), beyond))
    throw core::Error("the standardisation of the features contradicts itself",
                      "the file is damaged: fit the predictor again and save it");
  *this = std::move(read);
}

LogTarget log_argument(const core::Call& call) {
  const auto text = call.one_of("log", "auto", {"auto", "yes", "no"});
  return text == "auto" ? LogTarget::automatic : text == "yes" ? LogTarget::yes : LogTarget::no;
}

bool log_possible(const std::vector<double>& targets, LogTarget log) {
  if (log == LogTarget::no) return false;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] > 0) continue;
    if (log == LogTarget::yes)
      throw core::Error("the target of record " + std::to_string(i + 1) + " is " +
                            core::format_double(targets[i]) + ", which has no logarithm",
                        "use log=auto or log=no");
    return false;
  }
  return true;
}

double calibration(const std::vector<double>& errors, const std::vector<double>& spreads) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < errors.size(); ++i)
    if (spreads[i] > 0) ratios.push_back(std::abs(errors[i]) / spreads[i]);
  if (ratios.empty()) return 0;
  std::sort(ratios.begin(), ratios.end());
  const double rank = std::ceil(0.9 * static_cast<double>(ratios.size() + 1));
  const auto index = std::min(ratios.size(), static_cast<std::size_t>(rank)) - 1;
  return ratios[index] / 1.645;
}

std::vector<double> TargetScale::fit(std::vector<double> targets) {
  log_ = log_possible(targets, choice_);
  if (log_ && choice_ == LogTarget::automatic) {
    const auto [low, high] = std::minmax_element(targets.begin(), targets.end());
    log_ = *high >= kLogRange * *low;
  }
  if (log_)
    for (double& value : targets) value = std::log(value);
  centre_ = core::mean(targets);
  double sum = 0;
  for (const double value : targets) sum += (value - centre_) * (value - centre_);
  spread_ = std::sqrt(sum / static_cast<double>(targets.size()));
  if (!(spread_ > 1e-12 * std::abs(centre_))) spread_ = 0;
  for (double& value : targets) value = spread_ > 0 ? (value - centre_) / spread_ : 0;
  residual_ = 0;
  stretch_ = 1;
  return targets;
}

bool TargetScale::calibrate(const std::vector<double>& means, const std::vector<double>& variances,
                            std::vector<double> errors) {
  residual_ = std::pow(calibration(errors, std::vector<double>(errors.size(), 1)), 2);
  std::vector<double> spreads;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const Prediction prediction = (*this)(means[i], variances[i]);
    spreads.push_back(prediction.deviation);
    errors[i] = prediction.mean - (*this)(means[i] - errors[i], 0).mean;
  }
  stretch_ = calibration(errors, spreads);
  return std::isfinite(stretch_) && std::isfinite(residual_);
}

Prediction TargetScale::operator()(double mean, double variance) const {
  const double value = centre_ + spread_ * mean;
  const double deviation = stretch_ * spread_ * std::sqrt(residual_ + variance);
  if (!log_) return {value, deviation};
  return {std::exp(value), std::exp(value) * deviation};
}

void TargetScale::save(nlohmann::json& state) const {
  state.update({{"log", log_},
                {"centre", centre_},
                {"spread", spread_},
                {"residual", residual_},
                {"stretch", stretch_}});
}

void TargetScale::load(const nlohmann::json& state) {
  state.at("log").get_to(log_);
  state.at("centre").get_to(centre_);
  state.at(state.contains("scale") ? "scale" : "spread").get_to(spread_);  // as "mlp" once wrote it
  state.at("residual").get_to(residual_);
  state.at("stretch").get_to(stretch_);
}

std::string pack(const std::vector<double>& values) { return pack_bits<std::uint64_t>(values); }
std::string pack(const std::vector<float>& values) { return pack_bits<std::uint32_t>(values); }

std::vector<double> unpack_doubles(const std::string& text, std::size_t count) {
  return unpack_bits<std::uint64_t, double>(text, count);
}

std::vector<float> unpack_floats(const std::string& text, std::size_t count) {
  return unpack_bits<std::uint32_t, float>(text, count);
}

}  // namespace mosaic::predictors
