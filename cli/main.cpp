#include <CLI/CLI.hpp>
#include <iostream>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"

namespace {

constexpr const char* kDescription =
    "Mosaic: train one mixture-of-supernets, search it for the best networks of a device,\n"
    "and hand them over ready to deploy. Every number is kept in one SQLite file.";
constexpr const char* kFooter =
    "A first job:   mosaic run examples/fashion.toml --db results.db\n"
    "Its front:     mosaic front --db results.db\n"
    "A network:     mosaic extract --db results.db --max latency_ms=2 --best accuracy --out model\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

void print_error(const mosaic::core::Error& error) {
  std::cerr << "mosaic: " << error.message() << "\n";
  if (!error.advice().empty()) std::cerr << "        " << error.advice() << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace mosaic;
  core::install_interrupt_handler();
  CLI::App app{kDescription};
  app.name("mosaic");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", "mosaic " + core::version() + " (" + core::revision() + ")");
  bool quiet = false;
  bool verbose = false;
  app.add_flag("-q,--quiet", quiet, "print warnings and errors only");
  app.add_flag("-v,--verbose", verbose, "print details");
  app.parse_complete_callback([&] {
    core::set_log_level(quiet     ? core::LogLevel::warning
                        : verbose ? core::LogLevel::debug
                                  : core::LogLevel::info);
  });
  for (const auto& name : cli::commands().names()) {
    auto* command = app.add_subcommand(name, cli::commands().summary(name));
    cli::commands().at(name)(*command);
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  } catch (const core::UsageError& error) {
    print_error(error);
    return 2;
  } catch (const core::Error& error) {
    print_error(error);
    return 1;
  } catch (const std::exception& error) {
    // LibTorch adds a C++ back trace after the first line.
    const std::string what = error.what();
    std::cerr << "mosaic: " << what.substr(0, what.find('\n')) << "\n"
              << "        this is unexpected: please report it with the command and the job file\n";
    return 1;
  }
}
