/// Work shared out over threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace mosaic::core {

/// Calls work(i) for i = 0 .. count-1 on up to `threads` threads, of which the caller's is one.
/// Where the system lets no more be started (a limit on processes) there are fewer, in the end the
/// caller's alone. After a failure no more work is begun; of several the first in order is
/// rethrown.
template <class Work>
void parallel_for(std::size_t count, std::size_t threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::size_t failed_at = std::numeric_limits<std::size_t>::max();
  std::exception_ptr failure;
  const auto run = [&] {
    while (!failed) {
      const std::size_t i = next++;
      if (i >= count) return;
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      while (others.size() + 1 < std::min(threads, count)) others.emplace_back(run);
    } catch (const std::system_error&) {  // no more than these, then
    }
    run();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mosaic::core
