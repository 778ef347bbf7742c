/// Measuring on a device that may slow down: nothing counts that was measured while it was off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/measurement.hpp"

namespace mosaic::evaluators {

/// Takes measurements in blocks between two timings of a reference network. A block counts if the
/// reference took at most `slow` times its usual both before and after; its measurements are held
/// back until that is known. Otherwise the device is given time to recover and the block is taken
/// again, at most `attempts` times in all; when the device stays slow, or the attempts are used up,
/// the last values are released with a note. The usual is the least that the reference ever took:
/// where it suddenly is faster, the device was off before, and the block in between is taken again.
/// A process that dies loses at most one block.
class SteadyMeasuring {
 public:
  struct Settings {
    std::int64_t block = 10;    ///< measurements between two timings of the reference
    double slow = 1.15;         ///< ratio to the usual above which the device counts as off
    int patience = 3;           ///< waits for a slow device to recover
    int attempts = 3;           ///< times that a block is taken
    double fresh_seconds = 10;  ///< a timing of the reference so old opens the next block too
    double usual = std::numeric_limits<double>::infinity();  ///< ms, from earlier runs
  };
  /// What it does to the world; tests bring their own.
  struct Device {
    std::function<double()> time_reference;  ///< ms; NaN: it cannot be timed, nothing is known
    std::function<void(int)> wait;           ///< before look number 1, 2, ... at a slow device
    std::function<double()> seconds;         ///< a clock that only goes forward
  };
  using Take = std::function<core::Measurement(std::size_t)>;
  using Release = std::function<void(std::size_t, const core::Measurement&)>;

  SteadyMeasuring(const Settings& settings, Device device);

  /// Takes 0 .. count-1 and releases each once, in order. What `take` throws passes through; the
  /// block it happened in is lost.
  void run(std::size_t count, const Take& take, const Release& release);

 private:
  double look();
  double look_until_recovered();
  bool is_off(double reference) const;
  double measure_block(std::size_t begin, std::size_t end, double before, const Take& take,
                       const Release& release);

  Settings settings_;
  Device device_;
  double usual_;
  std::optional<double> last_;  ///< ms that the reference took last
  double last_seconds_ = 0;     ///< when
};

}  // namespace mosaic::evaluators
