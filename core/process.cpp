#include "mosaic/core/process.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::core {

namespace {

std::atomic<int> interrupting_signal{0};
std::atomic<long long> interrupted_ms{0};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");
static_assert(std::atomic<long long>::is_always_lock_free, "used in a signal handler");

constexpr int kInterruptedStatus = 130;
/// timeout(1) signals the process and then its group: what follows so soon is the same wish.
constexpr long long kSameWishMs = 500;

long long monotonic_ms() {
  std::timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

extern "C" void on_interrupt(int signal) {
  const int saved = errno;
  int none = 0;
  long long never = 0;
  interrupted_ms.compare_exchange_strong(never, monotonic_ms());
  if (!interrupting_signal.compare_exchange_strong(none, signal)) {
    if (monotonic_ms() - interrupted_ms.load() > kSameWishMs) _exit(kInterruptedStatus);
    errno = saved;
    return;
  }
  constexpr std::string_view kNotice = "\nstopping at the next safe point; once more to stop now\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kNotice.data(), kNotice.size());
  errno = saved;
}

std::atomic<long long> crash_points{0};

/// The crash point to die at; 0 for none.
long long crash_at() {
  const char* text = std::getenv("MOSAIC_CRASH_AT");
  if (text == nullptr) return 0;
  const auto value = parse_integer(text);
  if (!value || *value < 1)
    throw UsageError(
        "MOSAIC_CRASH_AT = '" + std::string(text) + "' is not an integer of at least 1",
        "unset it, or give the number of the crash point to die at");
  return *value;
}

/// At namespace scope, so that a process that reaches no crash point says so too.
const struct CrashPointCounter {
  ~CrashPointCounter() {
    const char* path = std::getenv("MOSAIC_COUNT_CRASH_POINTS");
    if (path == nullptr) return;
    std::FILE* file = std::fopen(path, "we");
    if (file == nullptr) return;
    std::fprintf(file, "%lld\n", crash_points.load());
    std::fclose(file);
  }
} kCrashPointCounter;

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = &on_interrupt;
  action.sa_flags = SA_RESTART;  // libraries don't expect their reads and writes to fail with EINTR
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup: it goes on
  std::signal(SIGXFSZ, SIG_IGN);  // the write that is too large fails, and says so
}

bool interrupted() { return interrupting_signal.load(std::memory_order_relaxed) != 0; }

void check_interrupt() {
  const int signal = interrupting_signal.load(std::memory_order_relaxed);
  if (signal == 0) return;
  throw Interrupted(signal == SIGTERM  ? "stopped by SIGTERM"
                    : signal == SIGHUP ? "stopped by SIGHUP (the terminal was closed)"
                                       : "stopped by Ctrl-C",
                    "what was finished by then is kept");
}

void crash_point(const char* where) {
  static const long long kAt = crash_at();
  if (++crash_points != kAt) return;
  std::fprintf(stderr, "crash point %lld: %s\n", kAt, where);
  kill(getpid(), SIGKILL);
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> buffer{};
  std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return buffer.data();
}

}  // namespace mosaic::core
