#include "connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mosaic::serve {
Connection::Connection(int socket, const std::atomic<bool>& leaving)
    : socket_(socket), leaving_(leaving) {
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
}

Connection::~Connection() {
  // A socket closed with something unread takes the answer back: the rest is thrown away, if there
  // is little of it.
  ::shutdown(socket_, SHUT_WR);
  const auto until = Clock::now() + std::chrono::milliseconds(500);
  for (std::size_t left = 64; left > 0 && ready(POLLIN, until); --left)
    if (::recv(socket_, buffer_.data(), buffer_.size(), 0) <= 0) break;
  ::close(socket_);
}

/// Whether the socket can be read from or written to before a moment.
bool Connection::ready(short what, Clock::time_point until) const {
  constexpr std::int64_t kLook = 200;  // milliseconds, between looks at `leaving`
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{socket_, what, 0};
    const int found = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, kLook)));
    if (found > 0) return true;
    if (found < 0 && errno != EINTR) return false;
    if (what == POLLIN && leaving_) return false;
  }
}

bool Connection::is_readable() const { return begin_ < end_ || ready(POLLIN, asked_by_); }

bool Connection::is_writable() const { return ready(POLLOUT, taken_by_); }

ssize_t Connection::read(char* bytes, std::size_t size) {
  if (begin_ == end_) {
    if (received_ >= kMostBytes || !ready(POLLIN, asked_by_)) return -1;
    const auto wanted = std::min(buffer_.size(), kMostBytes - received_);
    const auto got = ::recv(socket_, buffer_.data(), wanted, 0);
    if (got <= 0) return got;
    received_ += static_cast<std::size_t>(got);
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  const auto count = std::min(size, end_ - begin_);
  std::memcpy(bytes, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* bytes, std::size_t size) {
  for (;;) {
    if (!is_writable()) return -1;
    const auto sent = ::send(socket_, bytes, size, MSG_NOSIGNAL);
    if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) return sent;
  }
}

// Nobody asks who asked.
void Connection::get_remote_ip_and_port(std::string&, int&) const {}
void Connection::get_local_ip_and_port(std::string&, int&) const {}

}  // namespace mosaic::serve
