/// "gp": a Gaussian process that chooses its hyperparameters and target scale.
#include <algorithm>
#include <cmath>

#include "gp.hpp"
#include "records.hpp"

namespace mosaic::predictors {

namespace {

constexpr double kLogRange = 1.2;  // targets that span less hardly differ from their logarithm
constexpr std::size_t kScaleRecords = 150;  // that decide between a target and its logarithm

std::vector<double> logarithms(std::vector<double> values) {
  for (double& value : values) value = std::log(value);
  return values;
}

/// Every k-th of the records, at most kScaleRecords.
std::vector<std::size_t> part_of(std::size_t records) {
  std::vector<std::size_t> part;
  const std::size_t step = (records + kScaleRecords - 1) / kScaleRecords;
  for (std::size_t i = 0; i < records; i += step) part.push_back(i);
  return part;
}

/// Logarithm of the leave-one-out density of the targets themselves (R&W, equation 5.11).
double leave_one_out_density(const std::vector<Features>& rows, const std::vector<double>& targets,
                             bool log, GpSettings settings) {
  settings.own_scales = false;
  settings.noise = GpNoise::normal;
  GaussianProcess process(settings);
  process.fit(rows, log ? logarithms(targets) : targets, 0);
  const auto left = process.leave_one_out();
  double sum = 0;
  for (std::size_t i = 0; i < left.residual.size(); ++i) {
    const double z = left.residual[i] / left.deviation[i];
    sum -= 0.5 * z * z + std::log(left.deviation[i]);
    if (log) sum -= std::log(targets[i]);
  }
  return sum;
}

class Gp : public Predictor {
 public:
  explicit Gp(const core::Call& call) : log_choice_(log_argument(call)) {
    call.expect_only({"ard", "growth", "kernel", "linear", "log", "noise", "records"});
    settings_.kernel = call.one_of("kernel", "matern52", {"matern52", "rbf"}) == "rbf"
                           ? GpKernel::rbf
                           : GpKernel::matern52;
    settings_.noise = call.one_of("noise", "normal", {"normal", "laplace"}) == "laplace"
                          ? GpNoise::laplace
                          : GpNoise::normal;
    settings_.own_scales = call.flag("ard", true);
    settings_.linear = call.flag("linear", true);
    call.number("growth", 1.25, 1, 100);  // of older job files, for appending: says nothing now
    settings_.most_records = static_cast<std::size_t>(
        call.integer("records", static_cast<long long>(settings_.most_records), 4, 10'000));
    process_ = GaussianProcess(settings_);
  }

  void fit(const std::vector<Features>& rows, const std::vector<double>& targets,
           std::uint64_t seed) override {
    check_records(rows, targets);
    GaussianProcess process(settings_);
    const bool log = decide_log(rows, targets);
    process.fit(rows, log ? logarithms(targets) : targets, seed);

    const auto left = process.leave_one_out();
    std::vector<double> errors;
    std::vector<double> spreads;
    for (std::size_t i = 0; i < left.residual.size(); ++i) {
      const double truth = targets[process.used()[i]];
      const double predicted =
          log ? std::exp(std::log(truth) - left.residual[i]) : truth - left.residual[i];
      errors.push_back(predicted - truth);
      spreads.push_back(left.deviation[i] * (log ? predicted : 1));
    }
    stretch_ = calibration(errors, spreads);
    log_ = log;
    process_ = std::move(process);
  }

  std::vector<Prediction> predict(const std::vector<Features>& rows) const override {
    std::vector<Prediction> result;
    result.reserve(rows.size());
    for (const Prediction& answer : process_.predict(rows)) {
      const double mean = log_ ? std::exp(answer.mean) : answer.mean;
      result.push_back({mean, stretch_ * answer.deviation * (log_ ? mean : 1)});
    }
    return result;
  }

  nlohmann::json save() const override {
    return {{"log", log_}, {"stretch", stretch_}, {"process", process_.save()}};
  }

  void load(const nlohmann::json& state) override {
    Gp read(*this);
    read_state("gp", [&] {
      state.at("log").get_to(read.log_);
      state.at("stretch").get_to(read.stretch_);
      read.process_.load(state.at("process"));
    });
    *this = std::move(read);
  }

 private:
  bool decide_log(const std::vector<Features>& rows, const std::vector<double>& targets) const {
    if (!log_possible(targets, log_choice_)) return false;
    if (log_choice_ == LogTarget::yes) return true;
    const auto [low, high] = std::minmax_element(targets.begin(), targets.end());
    if (*high < kLogRange * *low) return false;
    const auto part = part_of(rows.size());
    const auto density = [&](bool log) {
      return leave_one_out_density(core::pick(rows, part), core::pick(targets, part), log,
                                   settings_);
    };
    return density(true) > density(false);
  }

  GpSettings settings_;
  LogTarget log_choice_;
  GaussianProcess process_;
  bool log_ = false;
  double stretch_ = 0;
};

const core::Registered kEntry{
    predictors(), "gp",
    "Gaussian process; hyperparameters by marginal likelihood "
    "(kernel=matern52, noise=normal, ard=yes, linear=yes, log=auto, records=2000; "
    "noise=laplace: medians are learned, outliers say little)",
    make_of<Gp>};

}  // namespace

}  // namespace mosaic::predictors
