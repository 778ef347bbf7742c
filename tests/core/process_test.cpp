#include "mosaic/core/process.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <thread>

#include "capture.hpp"
#include "mosaic/core/child.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace core = mosaic::core;
using mosaic::test::Child;
using mosaic::test::Folder;
using mosaic::test::run_child;

TEST_CASE("the first signal sets a flag and work stops where it checks") {
  for (const auto& [signal, text] :
       {std::pair{SIGINT, "stopped by Ctrl-C"}, std::pair{SIGTERM, "stopped by SIGTERM"},
        std::pair{SIGHUP, "stopped by SIGHUP (the terminal was closed)"}}) {
    const Child child = run_child([number = signal] {
      core::install_interrupt_handler();
      core::check_interrupt();
      if (core::interrupted()) _exit(1);
      raise(number);
      if (!core::interrupted()) _exit(2);
      try {
        core::check_interrupt();
        _exit(3);
      } catch (const core::Interrupted& error) {
        std::fputs(error.what(), stderr);
      }
    });
    CHECK(child.exited_with(0));
    CHECK(child.text == "\nstopping at the next safe point; once more to stop now\n" +
                            std::string(text) + ": what was finished by then is kept");
  }
}

TEST_CASE("the second signal ends the process at once, unless it comes with the first") {
  using namespace std::chrono_literals;
  for (const auto& [pause, status] : {std::pair{0ms, 0}, std::pair{600ms, 130}}) {
    const Child child = run_child([length = pause] {
      core::install_interrupt_handler();
      raise(SIGINT);
      std::this_thread::sleep_for(length);
      raise(SIGTERM);
    });
    CHECK(child.exited_with(status));
  }
}

TEST_CASE("a child process computes what it is asked, and says what is wrong") {
  const std::string large(1'000'000, 'x');
  CHECK(core::in_child([&] { return large; }) == large);
  CHECK(core::in_child([] { return std::string(); }).empty());
  CHECK_THROWS_WITH(core::in_child([]() -> std::string { throw core::Error("the rule", "so"); }),
                    "the rule: so");
  CHECK_THROWS_WITH(core::in_child([]() -> std::string { throw std::runtime_error("what"); }),
                    "what");
  CHECK_THROWS_WITH(core::in_child([]() -> std::string { _exit(0); }),
                    Catch::Contains("ended without a result"));
}

TEST_CASE("the first signal ends what a child process works on") {
  const Child child = run_child([] {
    core::install_interrupt_handler();
    try {
      core::in_child([]() -> std::string {
        kill(getppid(), SIGTERM);
        for (;;) pause();
      });
      _exit(1);
    } catch (const core::Interrupted&) {
      if (waitpid(-1, nullptr, WNOHANG) != -1) _exit(2);  // none is left
    }
  });
  CHECK(child.exited_with(0));
}

TEST_CASE("a process that nohup started does not heed that the terminal was closed") {
  const Child child = run_child([] {
    std::signal(SIGHUP, SIG_IGN);
    core::install_interrupt_handler();
    raise(SIGHUP);
    if (core::interrupted()) _exit(1);
  });
  CHECK(child.exited_with(0));
  CHECK(child.text.empty());
}

TEST_CASE("crash points do nothing unless asked for") {
  const Child child = run_child([] {
    unsetenv("MOSAIC_CRASH_AT");
    for (int i = 0; i < 10; ++i) core::crash_point("here");
  });
  CHECK(child.exited_with(0));
  CHECK(child.text.empty());
}

// A process reads MOSAIC_CRASH_AT once and counts from its start, so each check has its own image:
// this test program, started again with the hidden test below.
namespace {

Child run_hidden(const std::string& name) {
  return run_child([&name] {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(98);
    execl(program.c_str(), program.c_str(), name.c_str(), nullptr);
    _exit(97);
  });
}

}  // namespace

TEST_CASE("three crash points", "[.child]") {
  core::crash_point("first");
  core::crash_point("second");
  core::crash_point("third");
}

TEST_CASE("no crash point", "[.child]") { CHECK(core::utc_now().size() == 20); }

TEST_CASE("the N-th crash point kills the process") {
  setenv("MOSAIC_CRASH_AT", "2", 1);
  const Child second = run_hidden("three crash points");
  CHECK(second.killed_by(SIGKILL));
  CHECK(second.text == "crash point 2: second\n");
  setenv("MOSAIC_CRASH_AT", "4", 1);
  CHECK(run_hidden("three crash points").exited_with(0));
  unsetenv("MOSAIC_CRASH_AT");
}

TEST_CASE("a process counts the crash points that it reached") {
  const Folder folder;
  setenv("MOSAIC_COUNT_CRASH_POINTS", (folder / "count").c_str(), 1);
  CHECK(run_hidden("three crash points").exited_with(0));
  CHECK(core::read_file(folder / "count") == "3\n");
  CHECK(run_hidden("no crash point").exited_with(0));
  CHECK(core::read_file(folder / "count") == "0\n");
  unsetenv("MOSAIC_COUNT_CRASH_POINTS");
}

TEST_CASE("a file is written", "[.child]") {
  core::write_file_atomic(std::getenv("MOSAIC_TEST_FILE"), "new");
}

TEST_CASE("a crash between writing a file and putting it in place keeps the old one") {
  const Folder folder;
  const std::string path = folder / "a";
  core::write_file_atomic(path, "old");
  setenv("MOSAIC_TEST_FILE", path.c_str(), 1);
  setenv("MOSAIC_CRASH_AT", "1", 1);
  const Child child = run_hidden("a file is written");
  unsetenv("MOSAIC_CRASH_AT");
  unsetenv("MOSAIC_TEST_FILE");
  CHECK(child.killed_by(SIGKILL));
  CHECK(child.text == "crash point 1: file written, not yet in place\n");
  CHECK(core::read_file(path) == "old");
}

TEST_CASE("the time is written as ISO 8601 in UTC") {
  std::string shape = core::utc_now();
  for (char& c : shape)
    if (c >= '0' && c <= '9') c = '9';
  CHECK(shape == "9999-99-99T99:99:99Z");
}

TEST_CASE("the machine is described within what the process may use") {
  CHECK_FALSE(core::cpu_name().empty());
  CHECK(core::usable_cores() >= 1);
  CHECK(core::usable_cores() <= static_cast<int>(std::thread::hardware_concurrency()));
  CHECK(core::available_memory() > 1e6);
  CHECK(core::available_memory() < 1e15);
}

TEST_CASE("usable cores follow the affinity of the process") {
  const Child child = run_child([] {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    _exit(core::usable_cores() == 1 ? 0 : 1);
  });
  CHECK(child.exited_with(0));
}

TEST_CASE("version and revision are never empty") {
  CHECK_FALSE(core::version().empty());
  CHECK_FALSE(core::revision().empty());
}
