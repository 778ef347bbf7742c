/// One measured number, with everything needed to know what it means.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace mosaic::core {

enum class Status { ok, failed };

/// Begins the note on a timing that was taken while the device was slower than at its best.
inline constexpr const char* kDeviceSlow = "device slow";

/// A metric of one network. Predicted values are never stored as a Measurement.
struct Measurement {
  std::string metric;  ///< "accuracy", "latency_ms", "params" ...
  double value = std::numeric_limits<double>::quiet_NaN();
  std::string unit;           ///< "%", "ms", "count" ...
  double standard_error = 0;  ///< of `value`, 0 where it is exact
  std::string
      fidelity;  ///< how it was made: "inherited(epochs=4,images=2000)", "batch=1,threads=2,..."
  std::uint64_t seed = 0;  ///< of what was random in it
  double seconds = 0;      ///< wall time that taking it cost
  std::string device;  ///< "cpu: AMD EPYC (2 threads)", "cuda: NVIDIA H200", "" where none matters
  Status status = Status::ok;
  std::string message;  ///< why it failed, or a note ("device slow: reference 1.24x")

  bool ok() const { return status == Status::ok && std::isfinite(value); }
  /// A good value that its own note calls too long: another network may have been the better one.
  bool suspect() const { return ok() && message.find(kDeviceSlow) != std::string::npos; }
};

}  // namespace mosaic::core
