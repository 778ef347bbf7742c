/// A headless Chromium that stays open: pages are looked at while time goes by.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "report/browser.hpp"

namespace mosaic::serve::testing {

using namespace report::testing;

/// Talks to Chromium's DevTools over two pipes: JSON messages that end with a zero byte.
class Browser {
 public:
  explicit Browser(const std::string& program) {
    int to[2];
    int from[2];
    REQUIRE(::pipe2(to, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(from, O_CLOEXEC) == 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      ::setpgid(0, 0);
      // Chromium reads from 3 and writes to 4; first out of the way of each other.
      const int in = ::fcntl(to[0], F_DUPFD, 10);
      const int out = ::fcntl(from[1], F_DUPFD, 10);
      ::dup2(in, 3);
      ::dup2(out, 4);
      const int log = ::open(folder_.file("browser.log").c_str(), O_WRONLY | O_CREAT, 0644);
      ::dup2(log, 1);
      ::dup2(log, 2);
      ::setenv("HOME", folder_.path().c_str(), 1);
      const auto profile = "--user-data-dir=" + folder_.file("profile");
      ::execlp(program.c_str(), program.c_str(), "--headless", "--no-sandbox", "--disable-gpu",
               "--remote-debugging-pipe", "--window-size=1200,1400", profile.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
    const auto target = call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
    session_ =
        call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
  }
  ~Browser() {
    ::close(to_);
    ::close(from_);
    ::kill(-child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void open(const std::string& url) { call("Page.navigate", {{"url", url}}); }

  /// Value of an expression inside the page.
  Json see(const std::string& expression) {
    const auto answer = evaluate(expression);
    INFO(expression << ": " << answer.dump());
    REQUIRE(answer.contains("result"));
    REQUIRE_FALSE(answer["result"].contains("exceptionDetails"));
    return answer["result"]["result"].value("value", Json());
  }

  /// Waits until an expression is true; what the page holds where it never is.
  void wait_for(const std::string& expression, int seconds = 60) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    const auto guarded =
        "(() => { try { return !!(" + expression + "); } catch { return false; } })()";
    // A page that is just being left answers with an error: it is asked again.
    const Json yes = {{"type", "boolean"}, {"value", true}};
    while (evaluate(guarded).value("/result/result"_json_pointer, Json()) != yes) {
      if (std::chrono::steady_clock::now() > until)
        FAIL("never true: " << expression << "; the page says "
                            << see("document.body?.innerText.slice(0, 2000)").dump());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

 private:
  Json evaluate(const std::string& expression) {
    return answer("Runtime.evaluate",
                  {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  }

  Json call(const std::string& method, const Json& parameters) {
    const auto given = answer(method, parameters);
    INFO(method << ": " << given.dump());
    REQUIRE(given.contains("result"));
    return given["result"];
  }

  /// What a method answers: its "result", or an "error".
  Json answer(const std::string& method, const Json& parameters) {
    Json message{{"id", ++last_}, {"method", method}, {"params", parameters}};
    if (!session_.empty()) message["sessionId"] = session_;
    auto text = message.dump() + '\0';
    for (std::size_t sent = 0; sent < text.size();) {
      const auto count = ::write(to_, text.data() + sent, text.size() - sent);
      REQUIRE(count > 0);
      sent += static_cast<std::size_t>(count);
    }
    for (;;) {
      auto given = Json::parse(hear());
      if (given.value("id", 0) == last_) return given;  // anything else is an event
    }
  }

  std::string hear() {
    for (;;) {
      if (const auto end = heard_.find('\0'); end != std::string::npos) {
        auto message = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return message;
      }
      pollfd waiting{from_, POLLIN, 0};
      char buffer[65536];
      const bool there = ::poll(&waiting, 1, 60'000) == 1;
      const auto count = there ? ::read(from_, buffer, sizeof buffer) : 0;
      INFO("Chromium says nothing: " << slurp(folder_.file("browser.log")).substr(0, 2000));
      REQUIRE(count > 0);
      heard_.append(buffer, static_cast<std::size_t>(count));
    }
  }

  const Folder folder_;
  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
  int last_ = 0;
  std::string session_;
  std::string heard_;
};

}  // namespace mosaic::serve::testing
