// mosaic serve: the pages of a database, live, for a browser.
#include <unistd.h>

#include <iostream>

#include "command.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/serve/server.hpp"
#include "numbers.hpp"

namespace mosaic::cli {
namespace {

void setup(App& app) {
  auto options = std::make_shared<serve::Options>();
  app.add_option("--db", options->db, "results database")->capture_default_str();
  app.add_option("--host", options->host, "address to listen on; as it is, this machine alone")
      ->capture_default_str();
  app.add_option("--port", options->port, "port to listen on; 0 takes any that is free")
      ->check(whole_number(0, 65535))
      ->capture_default_str();
  app.footer(
      "Opens no browser: it prints the address to open. Runs beside the search, and only reads.\n"
      "From another machine: ssh -L 8642:localhost:8642 HOST, then http://localhost:8642/ there.\n"
      "Ctrl-C ends it.");
  app.callback([options] {
    serve::Server server(*options);
    if (!serve::is_loopback(options->host))
      core::log_warning("whoever reaches " + options->host + " can read all of " + options->db);
    // A page must not slow down what it shows.
    [[maybe_unused]] const int niceness = ::nice(10);
    const core::Activity none("");  // it waits for visitors, and that is no work
    std::cout << server.url() << std::endl;
    server.run();
  });
}

const core::Registered kEntry{commands(), "serve", "watch the jobs of a database in a browser",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
