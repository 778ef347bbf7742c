#include "mosaic/core/progress.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "capture.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"

namespace core = mosaic::core;
using mosaic::test::run_child;

namespace {

/// The lines of a progress, cut before the times, which differ between runs.
std::vector<std::string> stable_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const auto& line : core::split(text, '\n'))
    if (!line.empty()) lines.push_back(line.substr(0, line.find(')') + 1));
  return lines;
}

}  // namespace

TEST_CASE("piped progress is one plain line every ten percent") {
  const auto child = run_child([] {
    core::Progress progress("train", 1000);
    for (int i = 1; i <= 1000; ++i) progress.update(i, "loss 0.41");
    progress.finish();
  });
  CHECK(child.exited_with(0));
  CHECK(stable_lines(child.text) ==
        std::vector<std::string>{
            "train: 0% (1/1,000)", "train: 10% (100/1,000)", "train: 20% (200/1,000)",
            "train: 30% (300/1,000)", "train: 40% (400/1,000)", "train: 50% (500/1,000)",
            "train: 60% (600/1,000)", "train: 70% (700/1,000)", "train: 80% (800/1,000)",
            "train: 90% (900/1,000)", "train: 100% (1,000/1,000)"});
  CHECK(child.text.find('\r') == std::string::npos);
  CHECK(child.text.find('\033') == std::string::npos);
  CHECK_THAT(child.text, Catch::Contains(" left, loss 0.41\n") && Catch::Contains(", took "));
}

TEST_CASE("work done by an earlier process is counted but not used for the estimate") {
  const auto child = run_child([] {
    core::Progress progress("search", 100, 50);
    progress.update(50);
    progress.update(61);
  });
  const auto lines = core::split(child.text, '\n');
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "search: 50% (50/100)");
  CHECK_THAT(lines[1], Catch::StartsWith("search: 61% (61/100), ") && Catch::EndsWith(" left"));
}

TEST_CASE("nothing is printed after the end of a progress") {
  const auto child = run_child([] {
    core::Progress progress("x", 2);
    progress.finish("front 12");
    progress.update(1);
    progress.finish();
  });
  CHECK(stable_lines(child.text) == std::vector<std::string>{"x: 0% (0/2)"});
  CHECK_THAT(child.text, Catch::EndsWith(", front 12\n"));
}

TEST_CASE("an exception leaves no further line") {
  const auto child = run_child([] {
    try {
      core::Progress progress("x", 2);
      progress.update(1);
      throw 1;
    } catch (int) {
    }
  });
  CHECK(stable_lines(child.text) == std::vector<std::string>{"x: 50% (1/2)"});
}

TEST_CASE("progress is not shown where only warnings are wanted") {
  const auto child = run_child([] {
    core::set_log_level(core::LogLevel::warning);
    core::Progress progress("x", 2);
    progress.update(1);
    progress.finish();
  });
  CHECK(child.exited_with(0));
  CHECK(child.text.empty());
}

TEST_CASE("a progress of nothing finishes at once") {
  const auto child = run_child([] {
    core::Progress progress("x", 0);
    progress.update(0);
    progress.finish();
  });
  CHECK(stable_lines(child.text) == std::vector<std::string>{"x: 100% (0/0)"});
}

namespace {

/// What `action` writes to a standard error that is a terminal of 80 columns.
std::string on_terminal(const std::function<void()>& action) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(grantpt(terminal) == 0);
  REQUIRE(unlockpt(terminal) == 0);
  const std::string name = ptsname(terminal);
  const auto child = run_child([&] {
    dup2(open(name.c_str(), O_RDWR | O_NOCTTY), STDERR_FILENO);
    setenv("TERM", "xterm", 1);
    action();
  });
  CHECK(child.exited_with(0));
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  close(terminal);
  return text;
}

const std::string kWipe = "\r\033[K";

}  // namespace

TEST_CASE("on a terminal the bar is redrawn in place") {
  const auto text = on_terminal([] {
    core::Progress progress("train", 4);
    progress.update(4);
    progress.finish(std::string(200, 'x'));
  });
  CHECK_THAT(text, Catch::StartsWith(kWipe + "train [------------------------] 0% (0/4)" + kWipe +
                                     "train [########################] 100% (4/4), took "));
  const auto last = text.substr(text.rfind(kWipe) + kWipe.size());
  CHECK(last.size() == 79 + 2);  // cut to the width, then the end of the line
}

TEST_CASE("on a terminal a message wipes the bar, and a broken off bar ends its line") {
  const auto text = on_terminal([] {
    {
      core::Progress progress("a", 2);
      core::log_warning("careful");
    }
    core::Progress progress("b", 2);
  });
  const std::string bar = " [------------------------] 0% (0/2)";
  CHECK_THAT(text, Catch::StartsWith(kWipe + "a" + bar + kWipe + "[") &&
                       Catch::Contains("careful\r\n" + kWipe + "b" + bar) &&
                       Catch::EndsWith("0% (0/2)\r\n"));
}

TEST_CASE("messages go to standard error from the level that was set") {
  const auto child = run_child([] {
    core::log_info("braces {} are text");
    core::set_log_level(core::LogLevel::warning);
    core::log_info("hidden");
    core::log_warning("shown");
    core::set_log_level(core::LogLevel::error);
    core::log_warning("hidden");
  });
  const auto lines = core::split(child.text, '\n');
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[0], Catch::EndsWith("] info: braces {} are text"));
  CHECK_THAT(lines[1], Catch::EndsWith("] warning: shown"));
}

TEST_CASE("who watches learns how far long work is, and nothing of what is over at once") {
  std::vector<core::ProgressState> seen;
  {
    const core::ProgressWatch watch(
        [&](const core::ProgressState& state) { seen.push_back(state); });
    core::Progress quick("quick", 2);
    quick.update(1);
    quick.finish();
    CHECK(seen.empty());
    core::Progress slow("slow", 10, 4);
    while (seen.empty()) slow.update(6, "front 3");
    slow.finish("front 4");
  }
  core::Progress unseen("unseen", 2);
  unseen.finish();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].label == "slow");
  CHECK(seen[0].done == 6);
  CHECK(seen[0].total == 10);
  CHECK(seen[0].note == "front 3");
  REQUIRE(seen[0].seconds_left);
  CHECK(*seen[0].seconds_left >= 2);  // 2 of 6 took 2 s or more
  CHECK(seen[1].done == 10);
  CHECK(seen[1].note == "front 4");
}
