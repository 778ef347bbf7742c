/// What concerns the whole process: Ctrl-C, crash points, clock, build and machine identity.
#pragma once

#include <chrono>
#include <string>

namespace mosaic::core {

/// From now on the first Ctrl-C (SIGINT), SIGTERM or SIGHUP sets a flag, and a second one ends the
/// process. A file that grows beyond its limit (SIGXFSZ) is an error of its write.
void install_interrupt_handler();
bool interrupted();
/// Throws Interrupted if the flag is set. Call where stopping loses nothing.
void check_interrupt();

/// A place where a killed process must be able to go on later. Does nothing, unless the environment
/// variable MOSAIC_CRASH_AT is N: then the N-th crash point reached in this process kills it
/// (SIGKILL). MOSAIC_COUNT_CRASH_POINTS=FILE writes how many were reached at exit.
void crash_point(const char* where);

/// Seconds since construction.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// "2026-01-31T12:34:56Z".
std::string utc_now();

/// Model name of the processor, as /proc/cpuinfo has it.
std::string cpu_name();
/// Cores this process may use (affinity and cgroup limits respected).
int usable_cores();
/// Bytes of memory this process may still take (cgroup limit respected).
double available_memory();

/// Version of Mosaic ("0.1.0") and git revision it was built from ("unknown" outside a checkout;
/// "-dirty" appended where the tree had changes).
std::string version();
std::string revision();

}  // namespace mosaic::core
