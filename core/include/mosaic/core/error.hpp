/// Errors that a user can act on.
#pragma once

#include <stdexcept>
#include <string>

namespace mosaic::core {

/// What a user or the environment did wrong. `message` states the rule and the value received,
/// `advice` the way out; what() joins both as "message: advice". Our own bugs are assertions
/// instead, and failures that are part of the work (a candidate that does not fit) are return
/// values.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string message, std::string advice = {});
  const std::string& message() const noexcept { return message_; }
  const std::string& advice() const noexcept { return advice_; }

 private:
  std::string message_;
  std::string advice_;
};

/// Wrong usage of a command line or of a job file (exit status 2; every other Error exits with 1).
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Thrown by check_interrupt() after Ctrl-C or SIGTERM: work stops at a consistent point.
class Interrupted : public Error {
 public:
  using Error::Error;
};

}  // namespace mosaic::core
