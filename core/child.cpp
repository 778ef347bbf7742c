#include "mosaic/core/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::core {
namespace {

/// What a child writes begins with one of these; of an error, advice follows after a zero.
constexpr char kResult = 'r', kError = 'e';

[[noreturn]] void be_child(int out, const std::function<std::string()>& work) noexcept {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (std::signal(signal, SIG_DFL) == SIG_IGN) std::signal(signal, SIG_IGN);  // nohup
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string answer;
  try {
    answer = kResult + work();
  } catch (const Error& error) {
    answer = kError + error.message() + '\0' + error.advice();
  } catch (const std::exception& error) {
    answer = kError + std::string(error.what());
  }
  std::string_view rest = answer;
  while (!rest.empty()) {
    const auto written = write(out, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(1);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  _exit(0);
}

/// A child, which ends with this.
struct Running {
  pid_t id;
  int in;
  ~Running() {
    kill(id, SIGKILL);
    waitpid(id, nullptr, 0);
    close(in);
  }
};

/// All that it writes.
std::string answer_of(const Running& child) {
  constexpr int kPatienceMs = 100;
  std::string answer;
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    check_interrupt();
    pollfd waited{child.in, POLLIN, 0};
    if (const int ready = poll(&waited, 1, kPatienceMs);
        ready == 0 || (ready < 0 && errno == EINTR))
      continue;
    const auto got = read(child.in, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::string in_child(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return work();
  const pid_t id = fork();
  if (id == 0) {
    close(ends[0]);
    be_child(ends[1], work);
  }
  close(ends[1]);
  if (id < 0) {  // no process to be had: then here, where Ctrl-C waits
    close(ends[0]);
    return work();
  }
  const Running child{id, ends[0]};
  auto answer = answer_of(child);
  if (answer.starts_with(kResult)) return answer.substr(1);
  check_interrupt();  // Ctrl-C ends the child too
  if (answer.empty())
    throw Error("a child process ended without a result",
                "it may have run out of memory: see what else runs here");
  const auto end = answer.find('\0');
  throw Error(answer.substr(1, end - 1),
              end == std::string::npos ? std::string() : answer.substr(end + 1));
}

}  // namespace mosaic::core
