#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "command.hpp"
#include "mosaic/core/activity.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/plugin.hpp"
#include "mosaic/core/process.hpp"

namespace {

using namespace mosaic;

constexpr const char* kDescription =
    "Mosaic: train one mixture-of-supernets, search it for the best networks of a device,\n"
    "and hand them over ready to deploy. Every number is kept in one SQLite file.";
constexpr const char* kFooter =
    "A first job:   mosaic run examples/fashion.toml --db results.db\n"
    "Its front:     mosaic front --db results.db\n"
    "A network:     mosaic extract --db results.db --max latency_ms=2 --best accuracy --out model\n"
    "In your shell: source <(mosaic completion bash)    (or zsh, fish)\n"
    "Exit status: 0 done, 1 failed or nothing to show, 2 wrong usage.";

void print_error(const core::Error& error) {
  std::cerr << "mosaic: " << core::printable(error.message()) << "\n";
  if (!error.advice().empty()) std::cerr << "        " << core::printable(error.advice()) << "\n";
}

/// Opens the three standard streams where the caller closed them: the next file opened, a database
/// perhaps, would take their place and be written over. Nothing can be written to a closed standard
/// output, as before.
void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF)
      (void)::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

/// Throws unless all that was printed has arrived.
void finish_output() {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::cout.good() && std::ferror(stdout) == 0) return;
  throw core::Error(
      std::string("cannot write standard output: ") + std::strerror(errno == 0 ? EIO : errno),
      "what was printed is not complete: make room, or print to another place");
}

/// A first word that is no subcommand, nor the former name of one: the nearest one.
void check_command(const CLI::App& app, const std::vector<std::string>& words) {
  const auto word = std::find_if(words.begin(), words.end(), [&](const std::string& text) {
    return !text.starts_with("-") && (&text == words.data() || *(&text - 1) != "--plugin");
  });
  if (word == words.end()) return;
  const auto named = [&](const CLI::App* command) { return command->check_name(*word); };
  if (!app.get_subcommands(named).empty()) return;
  const auto known = cli::commands().names();
  throw core::UsageError("unknown command '" + *word + "'",
                         core::did_you_mean(*word, known) + "commands: " + core::join(known) +
                             " (mosaic --help says what they do)");
}

/// `mosaic help`, `mosaic help COMMAND`: as --help.
std::vector<std::string> with_help(std::vector<std::string> words) {
  if (words.empty() || words[0] != "help") return words;
  words.erase(words.begin());
  words.resize(std::min<std::size_t>(words.size(), 1));
  words.emplace_back("--help");
  return words;
}

int run(int argc, char** argv) {
  CLI::App app{kDescription};
  app.name("mosaic");
  app.footer(kFooter);
  app.require_subcommand(1);
  const auto revision = core::revision();
  app.set_version_flag("--version", "mosaic " + core::version() +
                                        (revision == "unknown" ? "" : " (" + revision + ")"));
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "print warnings and errors only");
  // Once promised details, and printed none: taken, so that old command lines go on.
  app.add_flag("-v,--verbose")->group("");
  app.add_option_function<std::vector<std::string>>(
         "--plugin",
         [](const std::vector<std::string>& paths) {
           for (const auto& path : paths) core::load_plugin(path);
         },
         "a shared library with spaces, ops, tasks ... of your own; may be repeated (see 'mosaic "
         "new')")
      ->type_name("FILE")
      ->take_all()
      ->allow_extra_args(false);
  app.parse_complete_callback(
      [&] { core::set_log_level(quiet ? core::LogLevel::warning : core::LogLevel::info); });
  for (const auto& name : cli::commands().names()) {
    CLI::App& command = *app.add_subcommand(name, cli::commands().summary(name));
    command.fallthrough();  // --plugin and --quiet may stand anywhere
    cli::App described(command);
    cli::commands().at(name)(described);
  }
  try {
    auto words = with_help({argv + 1, argv + argc});
    check_command(app, words);
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    const core::SignsOfLife signs;
    app.parse(words);
    return 0;
  } catch (const CLI::Success& success) {
    std::ostringstream text;  // what CLI11 prints it flushes, and nobody learns why that failed
    const int status = app.exit(success, text, text);
    std::cout << text.str();
    return status;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  core::install_interrupt_handler();
  try {
    const int status = run(argc, argv);
    finish_output();
    return status;
  } catch (const core::UsageError& error) {
    print_error(error);
    return 2;
  } catch (const core::Error& error) {
    print_error(error);
    return 1;
  } catch (const std::bad_alloc&) {
    std::cerr << "mosaic: there is not enough memory\n"
                 "        close other programs, or make the work smaller (batch_size, population, "
                 "rows)\n";
    return 1;
  } catch (const std::exception& error) {
    // LibTorch adds a C++ back trace after the first line.
    const std::string what = error.what();
    std::cerr << "mosaic: " << core::printable(what.substr(0, what.find('\n'))) << "\n"
              << "        this is unexpected: please report it with the command and the job file\n";
    return 1;
  }
}
