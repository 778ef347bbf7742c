/// What goes on while nothing is printed.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace mosaic::core {

/// Names what is done in its scope, for SignsOfLife: `const core::Activity fit("fit predictor");`.
/// The innermost one counts; one without a name says that there is nothing to tell. Progress is
/// one.
class Activity {
 public:
  explicit Activity(std::string what);
  ~Activity();
  /// Another name for it from now on, such as one that tells how far it is.
  void say(const std::string& what);
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
};

/// While it lives, standard error is not silent for more than five seconds: the current Activity is
/// told with its time, in place on a terminal, elsewhere as a line, the next after half a minute.
/// For programs; one at a time. Quiet below LogLevel::info.
class SignsOfLife {
 public:
  SignsOfLife();

 private:
  void watch(const std::stop_token& stop);
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;  ///< the last member: it ends first
};

}  // namespace mosaic::core
