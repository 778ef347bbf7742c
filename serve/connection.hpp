/// One connection of a client, with an end: how much it may say, and how long all may take.
#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <chrono>

namespace mosaic::serve {

/// A stream over a socket, which it closes. Of a request no more than `kMostBytes` are read, and it
/// must be here within `kToAsk`; the answer must be taken within `kToTake`.
class Connection : public httplib::Stream {
 public:
  static constexpr std::size_t kMostBytes = 16 * 1024;
  static constexpr std::chrono::seconds kToAsk{5};
  static constexpr std::chrono::seconds kToTake{60};

  /// `leaving`: the server ends, and waits for no question any more.
  Connection(int socket, const std::atomic<bool>& leaving);
  ~Connection() override;

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* bytes, std::size_t size) override;
  ssize_t write(const char* bytes, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool ready(short what, Clock::time_point until) const;

  int socket_;
  const std::atomic<bool>& leaving_;
  Clock::time_point asked_by_ = Clock::now() + kToAsk;
  Clock::time_point taken_by_ = Clock::now() + kToTake;
  std::array<char, 4096> buffer_;  ///< httplib asks for one byte after the other
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t received_ = 0;
};

}  // namespace mosaic::serve
