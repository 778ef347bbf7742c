#include "steady.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "mosaic/core/log.hpp"

namespace mosaic::evaluators {

namespace {

void append(core::Measurement& measurement, const std::string& note) {
  if (!measurement.message.empty()) measurement.message += "; ";
  measurement.message += note;
}

std::string ratio_text(const char* format, double ratio) {
  char text[128];
  std::snprintf(text, sizeof text, format, ratio);
  return text;
}

}  // namespace

SteadyMeasuring::SteadyMeasuring(const Settings& settings, Device device)
    : settings_(settings), device_(std::move(device)), usual_(settings.usual) {}

bool SteadyMeasuring::is_off(double reference) const {
  return reference > settings_.slow * usual_;  // false for NaN
}

double SteadyMeasuring::look() {
  const double reference = device_.time_reference();
  if (reference < usual_) usual_ = reference;
  last_ = reference;
  last_seconds_ = device_.seconds();
  return reference;
}

double SteadyMeasuring::look_until_recovered() {
  double reference = look();
  if (is_off(reference) && settings_.patience > 0)
    core::log_info(ratio_text("the device takes %.2f times as long as usual: waiting for it",
                              reference / usual_));
  for (int wait = 1; is_off(reference) && wait <= settings_.patience; ++wait) {
    device_.wait(wait);
    reference = look();
  }
  return reference;
}

/// The timing of the reference that the next block begins with.
double SteadyMeasuring::measure_block(std::size_t begin, std::size_t end, double before,
                                      const Take& take, const Release& release) {
  double worst = 1;  // ratio, of the attempts that did not count
  for (int attempt = 1;; ++attempt) {
    std::vector<core::Measurement> held;
    for (std::size_t i = begin; i < end; ++i) held.push_back(take(i));
    const double after = look();
    const bool off = is_off(before) || is_off(after);
    const double slowest = std::fmax(before, after) / usual_;
    double next = after;
    if (off) {
      worst = std::max(worst, slowest);
      if (is_off(after)) next = look_until_recovered();
    }
    if (off && attempt < settings_.attempts && !is_off(next)) {
      core::log_info(ratio_text("the device took %.2f times as long as usual: ", slowest) +
                     "the last " + std::to_string(end - begin) + " measurements are taken again");
      before = next;
      continue;
    }
    for (std::size_t i = begin; i < end; ++i) {
      core::Measurement& measurement = held[i - begin];
      if (off)
        append(measurement, core::kDeviceSlow + ratio_text(": reference network at %.2fx of its "
                                                           "best",
                                                           slowest));
      else if (attempt > 1)
        append(measurement,
               ratio_text("taken again: before, the reference network was at %.2fx of its best",
                          worst));
      release(i, measurement);
    }
    return next;
  }
}

void SteadyMeasuring::run(std::size_t count, const Take& take, const Release& release) {
  if (count == 0) return;
  const bool fresh =
      last_ && !is_off(*last_) && device_.seconds() - last_seconds_ <= settings_.fresh_seconds;
  double reference = fresh ? *last_ : look_until_recovered();
  const auto block = static_cast<std::size_t>(std::max<std::int64_t>(1, settings_.block));
  for (std::size_t begin = 0; begin < count; begin += block)
    reference = measure_block(begin, std::min(count, begin + block), reference, take, release);
}

}  // namespace mosaic::evaluators
