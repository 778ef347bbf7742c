/// The parser of a subcommand: what subcommands use of CLI11. Including that costs a file four
/// seconds of the compiler's time, so few files do.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
class Option;
}  // namespace CLI

namespace mosaic::cli {

/// Says what is wrong with a word of the command line; empty: nothing.
struct Check {
  std::function<std::string(const std::string&)> fault;
  std::string shown = {};  ///< in --help, beside the option
};
Check one_of(const std::vector<std::string>& words);

/// An option as it is described: app.add_option("--count", count, "so
/// many")->check(...)->required().
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option* operator->() { return this; }

  Option required();
  /// --help shows the value that the variable has now.
  Option capture_default_str();
  /// Lists are checked each.
  Option check(const Check& check);
  Option excludes(const Option& other);
  Option needs(const Option& other);
  Option expected(int least, int most);
  Option delimiter(char between);
  /// A list takes one word each time it is named.
  Option one_at_a_time();

 private:
  CLI::Option* option_;
};

class App {
 public:
  explicit App(CLI::App& app) : app_(&app) {}

  /// T: std::string, a whole number, double, std::optional or std::vector of these. What is not
  /// given stays as it is.
  template <class T>
  Option add_option(const std::string& names, T& value, const std::string& help);
  Option add_flag(const std::string& names, bool& value, const std::string& help);
  Option get_option(const std::string& name);
  void footer(const std::string& text);
  void callback(const std::function<void()>& run);
  void alias(const std::string& name);
  /// Of the words that follow one must be a subcommand.
  App add_subcommand(const std::string& name, const std::string& help);
  /// The parser of the whole program, as it is.
  const CLI::App& program() const;

 private:
  CLI::App* app_;
};

}  // namespace mosaic::cli
