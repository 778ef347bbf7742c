/// Processes of their own, for what one process cannot show.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "mosaic/core/error.hpp"

namespace mosaic::db::testing {

/// A forked process whose body writes to a pipe that this one reads. Ended by the destructor.
class Child {
 public:
  using Body = std::function<void(int out)>;

  explicit Child(const Body& body) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::close(ends[0]);
      try {
        body(ends[1]);
      } catch (const std::exception& error) {
        say(ends[1], error.what());
      }
      ::close(ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    in_ = ends[0];
  }
  ~Child() {
    if (in_ >= 0) ::close(in_);
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Writes from within the child.
  static void say(int out, const std::string& text) {
    [[maybe_unused]] const auto written = ::write(out, text.data(), text.size());
  }

  /// Waits for so many bytes (fewer at the end of what the child said).
  std::string hear(std::size_t bytes) {
    std::string text;
    char byte = 0;
    while (text.size() < bytes && ::read(in_, &byte, 1) == 1) text += byte;
    return text;
  }
  /// Everything that the child says until it ends.
  std::string hear_all() { return hear(std::string::npos); }

  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// Status as waitpid() has it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  int pid() const { return pid_; }

 private:
  int pid_ = -1;
  int in_ = -1;
};

/// What `body` says, run in a process of its own as a user who may not override permissions.
inline std::string as_plain_user(const std::function<std::string()>& body) {
  Child child([&](int out) {
    if (::getuid() == 0 && ::setuid(65534) != 0) {
      Child::say(out, "no other user here");
      return;
    }
    Child::say(out, body());
  });
  return child.hear_all();
}

}  // namespace mosaic::db::testing
