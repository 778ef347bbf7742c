#include "parser.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

namespace mosaic::cli {
namespace {

CLI::Validator validator(const Check& check) {
  return {[fault = check.fault](std::string& text) { return fault(text); }, check.shown};
}

}  // namespace

Check one_of(const std::vector<std::string>& words) {
  const CLI::Validator member = CLI::IsMember(words);
  return {[member](const std::string& text) { return member(text); }, member.get_description()};
}

Option Option::required() { return Option(option_->required()); }
Option Option::capture_default_str() { return Option(option_->capture_default_str()); }
Option Option::check(const Check& check) { return Option(option_->check(validator(check))); }
Option Option::excludes(const Option& other) { return Option(option_->excludes(other.option_)); }
Option Option::needs(const Option& other) { return Option(option_->needs(other.option_)); }
Option Option::expected(int least, int most) { return Option(option_->expected(least, most)); }
Option Option::delimiter(char between) { return Option(option_->delimiter(between)); }
Option Option::one_at_a_time() { return Option(option_->allow_extra_args(false)); }

template <class T>
Option App::add_option(const std::string& names, T& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}
template Option App::add_option(const std::string&, std::string&, const std::string&);
template Option App::add_option(const std::string&, int&, const std::string&);
template Option App::add_option(const std::string&, std::int64_t&, const std::string&);
template Option App::add_option(const std::string&, std::uint64_t&, const std::string&);
template Option App::add_option(const std::string&, double&, const std::string&);
template Option App::add_option(const std::string&, std::optional<std::int64_t>&,
                                const std::string&);
template Option App::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option App::add_option(const std::string&, std::optional<std::string>&,
                                const std::string&);
template Option App::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Option App::add_option(const std::string&, std::vector<std::int64_t>&, const std::string&);
template Option App::add_option(const std::string&, std::vector<std::size_t>&, const std::string&);

Option App::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(app_->add_flag(names, value, help));
}
Option App::get_option(const std::string& name) { return Option(app_->get_option(name)); }
void App::footer(const std::string& text) { app_->footer(text); }
void App::callback(const std::function<void()>& run) { app_->callback(run); }
void App::alias(const std::string& name) { app_->alias(name); }
const CLI::App& App::program() const {
  const auto* program = app_;
  while (program->get_parent() != nullptr) program = program->get_parent();
  return *program;
}
App App::add_subcommand(const std::string& name, const std::string& help) {
  app_->require_subcommand(1);
  return App(*app_->add_subcommand(name, help));
}

}  // namespace mosaic::cli
