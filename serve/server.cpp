#include "mosaic/serve/server.hpp"

#include <httplib.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "connection.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/db/database.hpp"
#include "mosaic/db/writer.hpp"
#include "mosaic/jobs/job_state.hpp"
#include "mosaic/jobs/selection.hpp"
#include "mosaic/report/report.hpp"
#include "requests.hpp"

namespace mosaic::serve {
namespace {

using httplib::Request;
using httplib::Response;

constexpr int kThreads = 32;

/// Everything that a page needs comes from here; nothing of elsewhere may read, frame or guess at
/// it.
const httplib::Headers kHeaders = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"}};

struct Unanswered {
  int status;
  std::string why;
};

/// The parameters of a request, each once at most and none but `known`.
std::map<std::string, std::string> parameters(const Request& request,
                                              const std::set<std::string>& known) {
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : request.params)
    if (!known.contains(name) || !result.emplace(name, value).second)
      throw Unanswered{400, "this address has a parameter too many"};
  return result;
}

/// The database as it is now: opened again where another file has taken its place.
class Source {
 public:
  explicit Source(std::string path) : path_(std::move(path)) { (void)reader(); }

  std::shared_ptr<db::Reader> reader() {
    const std::lock_guard guard(mutex_);
    struct stat found {};
    if (::stat(path_.c_str(), &found) != 0) {
      reader_.reset();
      return std::make_shared<db::Reader>(path_);  // says what is wrong
    }
    const auto identity = std::pair(found.st_dev, found.st_ino);
    if (!reader_ || identity != identity_) {
      reader_ = std::make_shared<db::Reader>(path_);
      identity_ = identity;
      ++opened_;
    }
    return reader_;
  }

  /// Another text whenever an answer might be another one.
  std::string tag(const db::Reader& reader) {
    const auto version = reader.version();
    const bool written = db::writer_of(path_).has_value();  // else a job is not running any more
    const std::lock_guard guard(mutex_);
    return '"' + std::to_string(begun_) + "-" + std::to_string(opened_) + "-" +
           std::to_string(version) + (written ? "-w\"" : "\"");
  }

 private:
  std::string path_;
  std::mutex mutex_;
  std::shared_ptr<db::Reader> reader_;
  std::pair<dev_t, ino_t> identity_;
  int opened_ = 0;
  const std::int64_t begun_ = std::chrono::system_clock::now().time_since_epoch().count();
};

}  // namespace

class Server::Impl : public httplib::Server {
 public:
  explicit Impl(const serve::Options& options) : options_(options), source_(options.db) {
    set_default_headers(kHeaders);
    set_idle_interval(0, 200'000);
    // SO_REUSEPORT, httplib's own choice, would let two servers share a port.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    new_task_queue = [this] { return new Queue(*this); };
    set_pre_routing_handler([this](const Request& request, Response& response) {
      answer(request, response);
      return HandlerResponse::Handled;
    });
    errno = 0;
    port_ = options.port == 0                          ? bind_to_any_port(options.host)
            : bind_to_port(options.host, options.port) ? options.port
                                                       : -1;
    if (port_ < 0)
      throw core::Error("cannot listen on " + options.host + ", port " +
                            std::to_string(options.port) +
                            (errno ? std::string(" (") + std::strerror(errno) + ")" : ""),
                        "choose another port (--port 0 takes any that is free), or an address of "
                        "this machine (--host)");
  }

  /// Also before it has begun.
  void leave() {
    leaving_ = true;
    stop();
  }
  int port() const { return port_; }
  const std::string& host() const { return options_.host; }

 private:
  /// Looks now and then whether the process is to end.
  struct Queue : httplib::ThreadPool {
    explicit Queue(Impl& server) : ThreadPool(kThreads), owner(server) {}
    void on_idle() override {
      if (core::interrupted() || owner.leaving_) owner.leave();
    }
    Impl& owner;
  };

  /// One request a connection: threads never wait for a client that may ask again.
  bool process_and_close_socket(socket_t socket) override {
    if (core::interrupted() || leaving_) leave();
    Connection connection(socket, leaving_);
    bool closed = false;
    return process_request(connection, true, closed, [](Request& request) {
      // Parts of an answer and packed answers cost more than they save on the way through one
      // machine.
      request.headers.erase("Accept-Encoding");
      request.ranges.clear();
    });
  }

  void answer(const Request& request, Response& response) {
    const auto say = [&](int status, const std::string& why) {
      response.status = status;
      response.headers.erase("ETag");
      if (status == 405) response.set_header("Allow", "GET, HEAD");
      response.set_content(why + "\n", "text/plain; charset=utf-8");
    };
    try {
      if (const auto refused = refusal(request, options_.host))
        return say(refused->status, refused->why);
      response.status = 200;
      route(request, response);
    } catch (const Unanswered& unanswered) {
      say(unanswered.status, unanswered.why);
    } catch (const core::UsageError& error) {
      say(400, error.what());
    } catch (const std::exception& error) {
      say(503, error.what());
    }
  }

  void route(const Request& request, Response& response) {
    const auto html = [&](const std::string& page) {
      response.set_content(page, "text/html; charset=utf-8");
    };
    const auto& files = report::live_files();
    if (const auto file = files.find(request.path.substr(1)); file != files.end()) {
      parameters(request, {});
      response.set_content(file->second, file->first.ends_with(".css")
                                             ? "text/css; charset=utf-8"
                                             : "text/javascript; charset=utf-8");
    } else if (request.path == "/") {
      parameters(request, {});
      html(report::live_jobs_page(options_.db));
    } else if (request.path == "/job") {
      html(report::live_job_page(job(*source_.reader(), parameters(request, {"name"})).name));
    } else if (request.path == "/jobs.json") {
      parameters(request, {});
      json(request, response, [&](const db::Reader& reader) {
        std::vector<db::Job> jobs;
        for (auto& one : reader.jobs()) jobs.push_back(jobs::as_it_stands(reader, std::move(one)));
        return report::jobs_news(reader, jobs);
      });
    } else if (request.path == "/job.json") {
      const auto given = parameters(request, {"name", "since"});
      json(request, response, [&](const db::Reader& reader) {
        const auto found = job(reader, given);
        const auto since = given.find("since");
        return report::job_news(reader, found, jobs::remarks(reader, found, reader.front(found)),
                                since == given.end() ? "" : since->second);
      });
    } else {
      throw Unanswered{404, "there is nothing at this address"};
    }
  }

  static db::Job job(const db::Reader& reader, const std::map<std::string, std::string>& given) {
    const auto name = given.find("name");
    if (name == given.end()) throw Unanswered{400, "which job? /job?name=NAME"};
    auto found = reader.find_job(name->second);
    if (!found) throw Unanswered{404, "the database holds no such job (any more)"};
    return jobs::as_it_stands(reader, std::move(*found));
  }

  /// What was gathered of one state of the database. Nothing is read, and nothing is sent, where
  /// nothing was written since the client asked last.
  template <class Gather>
  void json(const Request& request, Response& response, const Gather& gather) {
    const auto reader = source_.reader();
    const auto tag = source_.tag(*reader);
    response.set_header("ETag", tag);
    if (request.get_header_value("If-None-Match") == tag) {
      response.status = 304;
      return;
    }
    const auto gathered = [&] {
      const db::Snapshot snapshot(*reader);
      return gather(*reader);
    }();
    response.set_content(gathered.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                         "application/json");
  }

  serve::Options options_;
  Source source_;
  int port_ = -1;
  std::atomic<bool> leaving_ = false;
};

Server::Server(const Options& options) : impl_(std::make_unique<Impl>(options)) {}

Server::~Server() = default;

int Server::port() const { return impl_->port(); }

std::string Server::url() const {
  const auto& host = impl_->host();
  return "http://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port()) + "/";
}

void Server::run() { impl_->listen_after_bind(); }

void Server::stop() { impl_->leave(); }

}  // namespace mosaic::serve
