/// Subcommands: each file registers one and nothing else knows it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/registry.hpp"
#include "parser.hpp"

namespace mosaic::cli {

/// Adds options to the subcommand's parser and sets the callback that runs it.
using CommandSetup = std::function<void(App& app)>;

/// `const core::Registered kEntry{commands(), "jobs", "list the jobs of a database",
/// setup};`
core::Registry<CommandSetup>& commands();

/// The options that many subcommands share.
struct DatabaseOptions {
  std::string db = "results.db";
  std::string job;
  std::optional<std::string> job_name() const {
    return job.empty() ? std::nullopt : std::optional(job);
  }
};
/// --db, and the job's name: --job or the next word.
void add_database_options(App& app, DatabaseOptions& options);

/// Options of a space from texts "key=value". Throws UsageError for another text.
std::map<std::string, std::string> options_of(const std::vector<std::string>& set);

/// --set KEY=VALUE.
void add_set_option(App& app, std::vector<std::string>& set);

/// How a result is printed.
struct OutputOptions {
  bool json = false;
  bool csv = false;
};
void add_output_options(App& app, OutputOptions& options);

}  // namespace mosaic::cli
