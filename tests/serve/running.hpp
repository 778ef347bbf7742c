/// A server in this process, on a port that was free.
#pragma once

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "db/fixtures.hpp"
#include "mosaic/serve/server.hpp"

namespace mosaic::serve::testing {

using namespace db::testing;
using Json = nlohmann::json;

class Running {
 public:
  explicit Running(const std::string& db, const std::string& host = "127.0.0.1")
      : server_({.db = db, .host = host, .port = 0}), thread_([this] { server_.run(); }) {}
  ~Running() {
    server_.stop();
    thread_.join();
  }

  int port() const { return server_.port(); }
  std::string url() const { return server_.url(); }

  httplib::Result get(const std::string& path, const httplib::Headers& headers = {}) const {
    httplib::Client client("127.0.0.1", port());
    auto result = client.Get(path, headers);
    REQUIRE(result);
    return result;
  }
  Json json(const std::string& path) const {
    const auto result = get(path);
    INFO(result->body);
    REQUIRE(result->status == 200);
    return Json::parse(result->body);
  }

 private:
  Server server_;
  std::thread thread_;
};

/// A client that says what no library would.
class Raw {
 public:
  explicit Raw(int port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Raw() { ::close(socket_); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  /// Bytes that were taken: fewer where the server has hung up.
  std::size_t say(const std::string& text) const {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const auto count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    return sent;
  }
  /// All that the server says until it hangs up.
  std::string hear() const {
    std::string text;
    char buffer[4096];
    for (;;) {
      const auto count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }

 private:
  int socket_;
};

}  // namespace mosaic::serve::testing
