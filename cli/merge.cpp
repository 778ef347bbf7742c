// mosaic merge: several databases become one.
#include <algorithm>
#include <iostream>
#include <memory>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/jobs/manage.hpp"

namespace mosaic::cli {
namespace {

/// "B.db:OLD=NEW".
jobs::Renaming read_renaming(const std::string& text, const std::vector<std::string>& sources) {
  for (const auto& source : sources) {
    if (!text.starts_with(source + ":")) continue;
    const auto names = text.substr(source.size() + 1);
    const auto equals = names.find('=');
    if (equals == std::string::npos || equals == 0) break;
    return {source, names.substr(0, equals), names.substr(equals + 1)};
  }
  throw core::UsageError("--rename " + text + " names no job of the databases given",
                         "write a database as it is given here, a job and its new name: --rename " +
                             sources.back() + ":OLD=NEW");
}

void setup(App& app) {
  struct Options {
    std::vector<std::string> sources;
    std::string out;
    std::vector<std::string> renamings;
  };
  auto options = std::make_shared<Options>();
  app.add_option("DATABASE", options->sources, "results databases")->required()->expected(1, 1000);
  app.add_option("--out", options->out, "new database to write")->required();
  app.add_option("--rename", options->renamings,
                 "DATABASE:OLD=NEW: a job gets another name there; may be repeated")
      ->one_at_a_time();
  app.footer(
      "All jobs go into the new file, with their measurements, predictions, histories, fronts and "
      "states,\n"
      "in the order of the databases. These are never changed, and may be of an older version. "
      "Files of jobs\n"
      "(weights, predictors) stay where they are. Tables that you added yourself are kept from the "
      "first alone.\n"
      "Example: mosaic merge a.db b.db --out all.db "
      "--rename b.db:first=second");
  app.callback([options] {
    std::vector<jobs::Renaming> renamings;
    for (const auto& text : options->renamings)
      renamings.push_back(read_renaming(text, options->sources));
    const auto count = jobs::merge_databases(options->sources, options->out, renamings);
    std::cout << count << (count == 1 ? " job" : " jobs") << " in " << options->out << "\n";
  });
}

const core::Registered kEntry{commands(), "merge", "several databases become one",
                              CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
