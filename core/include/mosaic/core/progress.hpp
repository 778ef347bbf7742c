/// Progress of long work with an estimate of the time left.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "mosaic/core/activity.hpp"

namespace mosaic::core {

/// A bar that redraws in place where standard error is a terminal; elsewhere plain lines, one every
/// ten percent or every 30 s, whichever comes first. Nothing is printed after finish() or
/// destruction by an exception. The estimate uses the speed since the start of this process's share
/// of the work (`already` units were done by an earlier process). Quiet below LogLevel::info.
class Progress {
 public:
  Progress(std::string label, std::int64_t total, std::int64_t already = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units in all so far; `note` is shown at the end of the line ("loss 0.41").
  void update(std::int64_t done, const std::string& note = {});
  void finish(const std::string& note = {});

 private:
  void draw(bool last);
  void tell(bool last);
  std::optional<double> seconds_left() const;
  Activity activity_;
  std::string label_;
  std::string note_;
  std::int64_t total_;
  std::int64_t start_;
  std::int64_t done_;
  bool terminal_;
  bool finished_ = false;
  int last_tenth_ = -1;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point drawn_;
  std::chrono::steady_clock::time_point told_;
};

/// How far some long work is.
struct ProgressState {
  std::string label;
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::optional<double> seconds_left;  ///< none while nothing is done
  std::string note;
};

/// While it lives, `see` learns how far every Progress of this process is: every two seconds of its
/// updates, and at its end, but nothing of what is over at once. For who shows progress elsewhere
/// than on this terminal. At most one lives.
class ProgressWatch {
 public:
  explicit ProgressWatch(std::function<void(const ProgressState&)> see);
  ~ProgressWatch();
  ProgressWatch(const ProgressWatch&) = delete;
  ProgressWatch& operator=(const ProgressWatch&) = delete;
};

}  // namespace mosaic::core
