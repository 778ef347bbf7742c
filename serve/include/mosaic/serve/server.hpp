/// The pages of a database, live, for a browser: `mosaic serve`.
#pragma once

#include <memory>
#include <string>

namespace mosaic::serve {

struct Options {
  std::string db = "results.db";
  std::string host = "127.0.0.1";  ///< address or name to listen on
  int port = 8642;                 ///< 0: any that is free
};

/// Whether `host` is the loopback interface of this machine, which no other reaches: localhost,
/// 127.x.x.x, ::1. A name such as 127.example.org is none.
bool is_loopback(const std::string& host);

/// An HTTP server of what a results database holds, beside the process that writes it. It answers
/// GET and HEAD only, from a reader that cannot change the database, and knows no files. What a web
/// page of somebody else, a name that points here (DNS rebinding), or a client that is slow or says
/// too much could ask for is refused.
class Server {
 public:
  /// Opens the database and the port. Throws core::Error where either cannot be had.
  explicit Server(const Options& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  /// "http://127.0.0.1:8642/".
  std::string url() const;

  /// Answers until stop() is called, from whatever thread, or the process is interrupted (Ctrl-C,
  /// SIGTERM). Requests that are being answered come to their end.
  void run();
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mosaic::serve
