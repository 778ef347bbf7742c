#include "mosaic/core/parallel.hpp"
#include "needs.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>

using namespace mosaic;

TEST_CASE("work is done once each, on at most as many threads as asked for") {
  for (const std::size_t threads : {0, 1, 2, 5}) {
    std::vector<int> done(100);
    std::atomic<int> running{0}, most{0};
    core::parallel_for(done.size(), threads, [&](std::size_t i) {
      const int now = ++running;
      int before = most;
      while (before < now && !most.compare_exchange_weak(before, now)) {
      }
      ++done[i];
      --running;
    });
    CHECK(done == std::vector<int>(100, 1));
    CHECK(most <= static_cast<int>(std::max<std::size_t>(threads, 1)));
  }
  core::parallel_for(0, 4, [](std::size_t) { FAIL("there is no work"); });
}

TEST_CASE("of several failures the first in order is told, and no more work is begun") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> done{0};
    std::string told;
    try {
      core::parallel_for(1000, 3, [&](std::size_t i) {
        ++done;
        if (i >= 10 && i < 20) throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      told = error.what();
    }
    CHECK(told == "10");
    CHECK(done < 1000);
  }
}

TEST_CASE("where no thread can be started the caller does the work alone") {
  const pid_t child = fork();
  if (child == 0) {
    // The limit holds for users, not for root.
    const rlimit few{1, 1};
    if ((getuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &few) != 0) _exit(3);
    try {
      std::jthread one([] {});
      _exit(4);
    } catch (const std::system_error&) {
    }
    try {
      std::size_t sum = 0;
      core::parallel_for(10, 4, [&](std::size_t i) { sum += i; });
      _exit(sum == 45 ? 0 : 1);
    } catch (...) {
      _exit(2);
    }
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  need(WEXITSTATUS(status) != 3 && WEXITSTATUS(status) != 4, Need::kOther,
       "this user may not be limited to one thread");
  CHECK(WEXITSTATUS(status) == 0);
}
