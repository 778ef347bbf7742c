#include "running.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <vector>

#include "mosaic/jobs/job_state.hpp"
#include "mosaic/report/report.hpp"

using namespace mosaic;
using namespace mosaic::serve::testing;
using Catch::Contains;

namespace {

/// A database with a job, which this process holds open for writing, and its server.
struct Served : OneJob {
  Served() {
    network("small", 88, 1);
    network("large", 91, 2);
  }
  std::int64_t network(const std::string& arch, double accuracy, double latency) {
    const auto id = add_network(database, job, arch);
    database.add_measurement(job.id, id, measured("accuracy", accuracy));
    database.add_measurement(job.id, id, measured("latency_ms", latency));
    return id;
  }
  const Running server{folder.file()};
};

std::string request(const std::string& method, const std::string& path,
                    const std::string& headers = "Host: localhost\r\n") {
  return method + " " + path + " HTTP/1.1\r\n" + headers + "\r\n";
}

}  // namespace

TEST_CASE_METHOD(Served, "pages, their files and their numbers are served") {
  const auto jobs = server.get("/");
  CHECK(jobs->status == 200);
  CHECK(jobs->get_header_value("Content-Type") == "text/html; charset=utf-8");
  CHECK_THAT(jobs->body, Contains("<script src=\"/jobs.js\"></script>"));
  const auto page = server.get("/job?name=first");
  CHECK(page->status == 200);
  CHECK_THAT(page->body, Contains("<title>first – Mosaic report</title>"));
  for (const auto& [name, text] : report::live_files()) {
    const auto file = server.get("/" + name);
    CHECK(file->status == 200);
    CHECK(file->body == text);
  }
  CHECK(server.get("/page.css")->get_header_value("Content-Type") == "text/css; charset=utf-8");
  CHECK(server.get("/plot.js")->get_header_value("Content-Type") ==
        "text/javascript; charset=utf-8");

  const auto list = server.json("/jobs.json");
  CHECK(list["database"] == folder.file());
  CHECK(list["jobs"][0]["name"] == "first");
  CHECK(list["jobs"][0]["status"] == "running");
  CHECK(list["jobs"][0]["evaluations"] == 2);
  const auto numbers = server.json("/job.json?name=first");
  CHECK(numbers["front"] == Json({2, 1}));
  CHECK(numbers["measurements"]["value"] == Json({88, 1, 91, 2}));
}

TEST_CASE_METHOD(Served, "every answer tells the browser to trust nothing else") {
  for (const char* path : {"/", "/job?name=first", "/jobs.json", "/plot.js", "/nothing"}) {
    CAPTURE(path);
    const auto answer = server.get(path);
    CHECK_THAT(answer->get_header_value("Content-Security-Policy"),
               Contains("default-src 'none'") && Contains("frame-ancestors 'none'") &&
                   !Contains("unsafe"));
    CHECK(answer->get_header_value("X-Content-Type-Options") == "nosniff");
    CHECK(answer->get_header_value("Cross-Origin-Resource-Policy") == "same-origin");
    CHECK(answer->get_header_value("Cache-Control") == "no-store");
    CHECK_FALSE(answer->has_header("Access-Control-Allow-Origin"));
  }
}

TEST_CASE_METHOD(Served, "nothing but the pages can be read: no path leads to a file") {
  spill(folder.file("secret.txt"), "secret");
  for (const char* path :
       {"/secret.txt", "/results.db", "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt",
        "/page.css/../../../../../../etc/passwd", "//etc/passwd", "/etc/passwd", "/page.css%00",
        "/job.html", "/page.html", "/./page.css", "/PAGE.CSS", "/job/", "/jobs"}) {
    CAPTURE(path);
    const Raw client(server.port());
    client.say(request("GET", path));
    const auto heard = client.hear();
    CHECK_THAT(heard, Catch::StartsWith("HTTP/1.1 404") || Catch::StartsWith("HTTP/1.1 400"));
    CHECK_THAT(heard, !Contains("secret") && !Contains("root:"));
  }
}

TEST_CASE_METHOD(Served, "nothing can be changed: every method but GET and HEAD is refused") {
  const auto before = slurp(folder.file());
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    CAPTURE(method);
    const Raw client(server.port());
    client.say(request(method, "/job?name=first", "Host: localhost\r\nContent-Length: 5\r\n") +
               "hello");
    CHECK_THAT(client.hear(), Catch::StartsWith("HTTP/1.1 405") && Contains("Allow: GET, HEAD"));
  }
  const Raw unknown(server.port());
  unknown.say(request("BREW", "/"));
  CHECK_THAT(unknown.hear(), Catch::StartsWith("HTTP/1.1 400"));
  httplib::Client client("127.0.0.1", server.port());
  const auto head = client.Head("/page.css");
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->body.empty());
  CHECK(slurp(folder.file()) == before);
}

TEST_CASE_METHOD(Served, "a name that points here and a page of elsewhere get nothing") {
  const auto status = [&](const std::string& headers) {
    const Raw client(server.port());
    client.say(request("GET", "/jobs.json", headers));
    const auto heard = client.hear();
    CHECK_THAT(heard, !Contains("Access-Control"));
    return heard.substr(9, 3);
  };
  const auto port = std::to_string(server.port());
  for (const char* good :
       {"localhost", "LOCALHOST:9000", "127.0.0.1", "127.0.0.1:80", "[::1]:8642"})
    CHECK(status("Host: " + std::string(good) + "\r\n") == "200");
  for (const char* foreign :
       {"evil.example", "localhost.evil.example", "evil.example:8642", "127.0.0.1.evil.example",
        "10.0.0.1", "localhost:x", "localhost:1:2", "[::1", "", "user@localhost"})
    CHECK(status("Host: " + std::string(foreign) + "\r\n") == "403");
  CHECK(status("") == "403");
  CHECK(status("Host: localhost\r\nHost: evil.example\r\n") == "403");

  const std::string host = "Host: localhost:" + port + "\r\n";
  CHECK(status(host + "Origin: http://localhost:" + port + "\r\n") == "200");
  for (const char* foreign : {"http://evil.example", "null", "https://localhost",
                              "http://localhost:1", "http://localhost.evil.example"})
    CHECK(status(host + "Origin: " + foreign + "\r\n") == "403");
  CHECK(status(host + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n") == "403");
  CHECK(status(host + "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n") == "403");
  CHECK(status(host + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n") == "200");
  CHECK(status(host + "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n") == "200");
}

TEST_CASE_METHOD(Served, "on all addresses of a machine, addresses are taken and names are not") {
  const Running open(folder.file(), "0.0.0.0");
  const auto status = [&](const std::string& host) {
    return open.get("/jobs.json", {{"Host", host}})->status;
  };
  CHECK(status("localhost") == 200);
  CHECK(status("192.168.1.7:8642") == 200);
  CHECK(status("[fe80::1]:8642") == 200);
  CHECK(status("evil.example") == 403);
}

TEST_CASE_METHOD(Served, "parameters are taken as they must be, or refused with a reason") {
  const std::vector<std::tuple<std::string, int, std::string>> wrong = {
      {"/job.json", 400, "which job?"},
      {"/job", 400, "which job?"},
      {"/job.json?name=", 404, "no such job"},
      {"/job.json?name=other", 404, "no such job"},
      {"/job.json?name=first'%20OR%201=1", 404, "no such job"},
      {"/job.json?name=first&name=second", 400, "a parameter too many"},
      {"/job.json?name=first&db=other.db", 400, "a parameter too many"},
      {"/job?name=first&since=1", 400, "a parameter too many"},
      {"/?x=1", 400, "a parameter too many"},
      {"/plot.js?x=1", 400, "a parameter too many"},
      {"/job.json?name=first&since=x", 400, "is no place among the rows"},
      {"/job.json?name=first&since=1.2.3.4.5.6.7.8", 400, "is no place among the rows"}};
  for (const auto& [path, status, why] : wrong) {
    CAPTURE(path);
    const auto answer = server.get(path);
    CHECK(answer->status == status);
    CHECK_THAT(answer->body, Contains(why));
    CHECK(answer->get_header_value("Content-Type") == "text/plain; charset=utf-8");
    CHECK_FALSE(answer->has_header("ETag"));
  }
}

TEST_CASE("names of jobs go through addresses and pages unharmed") {
  const Folder folder;
  db::Database database(folder.file());
  auto job = sample_job("</title><script>alert('a&b=c?d#e%20ü')</script>");
  database.create_job(job);
  const Running server(folder.file());
  const auto query = httplib::detail::encode_query_param(job.name);
  CHECK(server.json("/job.json?name=" + query)["job"]["name"] == job.name);
  const auto page = server.get("/job?name=" + query);
  CHECK(page->status == 200);
  CHECK_THAT(page->body, !Contains("<script>alert"));
}

TEST_CASE_METHOD(Served, "requests of any size end at a limit") {
  const std::string megabyte(1 << 20, 'a');
  const auto answer = [&](const std::string& text) {
    const Raw client(server.port());
    client.say(text);
    return client.hear().substr(0, 12);
  };
  const auto refused = [](const std::string& status) {
    return status.empty() || status == "HTTP/1.1 400" || status == "HTTP/1.1 414";
  };
  CHECK(refused(answer(request("GET", "/" + megabyte))));
  CHECK(refused(answer(request("GET", "/job.json?name=" + megabyte))));
  CHECK(refused(answer(request("GET", "/", "Host: localhost\r\nX: " + megabyte + "\r\n"))));
  CHECK(refused(answer(megabyte)));  // a line without an end
  std::string many = "Host: localhost\r\n";
  while (many.size() < (1 << 20)) many += "X: 1\r\n";
  CHECK(refused(answer(request("GET", "/", many))));
  CHECK(answer(request("POST", "/", "Host: localhost\r\nContent-Length: 1000000000000\r\n")) ==
        "HTTP/1.1 405");
  CHECK(refused(answer(std::string("\0\xff\r\n\r\n", 6))));
  CHECK(answer(request("GET", "/page.css", "Host: localhost\r\nRange: bytes=0-1,0-1,0-1,5-\r\n")) ==
        "HTTP/1.1 200");
  CHECK(answer(request("GET", "/jobs.json", "Host: localhost\r\nContent-Length: 99\r\n")) ==
        "HTTP/1.1 200");  // a body that never comes is not waited for
  CHECK(server.get("/")->status == 200);
}

TEST_CASE_METHOD(Served,
                 "clients that are slow do not keep others waiting, and are left in the end") {
  std::vector<std::unique_ptr<Raw>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Raw>(server.port()));
    slow.back()->say("GET / HT");
  }
  CHECK(server.get("/")->status == 200);
  for (const auto& client : slow) CHECK_THAT(client->hear(), !Contains("200"));  // hangs up
}

TEST_CASE_METHOD(Served, "a job that did not change costs nothing, one that did only what is new") {
  const auto first = server.get("/job.json?name=first");
  const auto tag = first->get_header_value("ETag");
  const auto path =
      "/job.json?name=first&since=" + Json::parse(first->body)["cursor"].get<std::string>();
  const auto same = server.get(path, {{"If-None-Match", tag}});
  CHECK(same->status == 304);
  CHECK(same->body.empty());

  const auto id = network("better", 95, 0.5);
  const auto fresh = server.get(path, {{"If-None-Match", tag}});
  CHECK(fresh->status == 200);
  CHECK(fresh->get_header_value("ETag") != tag);
  const auto news = Json::parse(fresh->body);
  CHECK(news["whole"] == false);
  CHECK(news["networks"]["id"] == Json({id}));
  CHECK(news["measurements"]["value"] == Json({95, 0.5}));
  CHECK(news["front"] == Json({id}));
}

TEST_CASE("a job whose writer is gone is interrupted, though nobody wrote that") {
  const Folder folder;
  auto job = sample_job("killed");
  auto database = std::make_unique<db::Database>(folder.file());
  database->create_job(job);
  const Running server(folder.file());
  const auto first = server.get("/job.json?name=killed");
  CHECK(Json::parse(first->body)["job"]["status"] == "running");
  database.reset();
  const auto then =
      server.get("/job.json?name=killed", {{"If-None-Match", first->get_header_value("ETag")}});
  REQUIRE(then->status == 200);
  const auto now = Json::parse(then->body)["job"];
  CHECK(now["status"] == "interrupted");
  CHECK_THAT(now["message"].get<std::string>(), Contains("go on with: mosaic resume"));
}

TEST_CASE_METHOD(Served, "an answer is of one state of the database, whoever writes meanwhile") {
  database.survive_power_failure(false);  // as fast as it goes
  database.transaction([&] {
    for (int i = 0; i < 2000; ++i) network("worse-" + std::to_string(i), 80, 3);
  });
  std::atomic<bool> enough = false;
  std::thread writer([&] {
    for (int i = 1; i < 9000 && !enough; ++i)  // each is a front of its own
      network("better-" + std::to_string(i), 91 + i * 1e-3, 1 - i * 1e-4);
  });
  std::size_t strangers = 0;
  std::size_t largest = 0;
  for (int i = 0; i < 30; ++i) {
    const auto answer = server.json("/job.json?name=first");
    const auto& known = answer["networks"]["id"];
    for (const auto& id : answer["front"])
      strangers += std::find(known.begin(), known.end(), id) == known.end();
    largest = std::max(largest, known.size());
  }
  enough = true;
  writer.join();
  CHECK(largest > 2002);  // something was written meanwhile
  CHECK(strangers == 0);
}

TEST_CASE("a job that ends after a snapshot was taken is running in it, not killed") {
  const Folder folder;
  auto job = sample_job("ending");
  auto database = std::make_unique<db::Database>(folder.file());
  database->create_job(job);
  const db::Reader reader(folder.file());
  {
    const db::Snapshot snapshot(reader);
    const auto recorded = reader.job("ending");
    job.status = "finished";
    database->update_job(job);
    database.reset();
    CHECK(jobs::as_it_stands(reader, recorded).status == "running");
  }
  CHECK(jobs::as_it_stands(reader, reader.job("ending")).status == "finished");
}

TEST_CASE("progress is shown as the running job says it, and only while it runs") {
  const Folder folder;
  auto job = sample_job("on its way");
  db::Database database(folder.file());
  database.create_job(job);
  const Running server(folder.file());
  CHECK(server.json("/jobs.json")["jobs"][0]["progress"].is_null());
  const Json said = {
      {"label", "search"}, {"done", 3}, {"total", 10}, {"seconds_left", 60.5}, {"note", "front 2"}};
  database.save_state(job.id, "progress", said.dump());
  CHECK(server.json("/jobs.json")["jobs"][0]["progress"] == said);
  CHECK(server.json("/job.json?name=on%20its%20way")["job"]["progress"] == said);
  job.status = "finished";
  database.update_job(job);
  CHECK(server.json("/jobs.json")["jobs"][0]["progress"].is_null());
}

TEST_CASE("a database that is gone, or another one, is noticed") {
  const Folder folder;
  auto job = sample_job("before");
  {
    db::Database database(folder.file());
    database.create_job(job);
  }
  const Running server(folder.file());
  const auto tag = server.get("/jobs.json")->get_header_value("ETag");
  for (const char* end : {"", "-wal", "-shm", ".lock"})
    std::filesystem::remove(folder.file() + end);
  const auto gone = server.get("/jobs.json", {{"If-None-Match", tag}});
  CHECK(gone->status == 503);
  CHECK_THAT(gone->body, Contains("there is no results database " + folder.file()));
  {
    db::Database database(folder.file());
    auto other = sample_job("after");
    database.create_job(other);
  }
  const auto back = server.get("/jobs.json", {{"If-None-Match", tag}});
  REQUIRE(back->status == 200);
  CHECK(Json::parse(back->body)["jobs"][0]["name"] == "after");
}

TEST_CASE("only addresses of the loopback interface, and localhost, are this machine alone") {
  for (const std::string host : {"localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"})
    CHECK(serve::is_loopback(host));
  for (const std::string host : {"127.example.org", "127.0.0.1.example.org", "0.0.0.0", "::", ""})
    CHECK_FALSE(serve::is_loopback(host));
}

TEST_CASE("a server that cannot be is refused with a way out") {
  const Folder folder;
  CHECK_THAT(error_of([&] { const Running server(folder.file()); }),
             Contains("there is no results database") && Contains("mosaic run JOB.toml"));
  { const db::Database database(folder.file()); }
  const Running server(folder.file());
  CHECK_THAT(
      error_of([&] { const serve::Server second({.db = folder.file(), .port = server.port()}); }),
      Contains("cannot listen on 127.0.0.1, port " + std::to_string(server.port())) &&
          Contains("--port 0"));
  CHECK_THAT(error_of([&] {
               const serve::Server second({.db = folder.file(), .host = "192.0.2.1", .port = 0});
             }),
             Contains("cannot listen on 192.0.2.1") && Contains("--host"));
  CHECK(server.url() == "http://127.0.0.1:" + std::to_string(server.port()) + "/");
}
