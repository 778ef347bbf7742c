// `mosaic predictor`: learned predictors from and to CSV files.
#include "predictor.hpp"

#include <CLI/CLI.hpp>

#include "mosaic/core/error.hpp"

namespace mosaic::cli {

core::Registry<CommandSetup>& predictor_commands() {
  static core::Registry<CommandSetup> registry("command of 'mosaic predictor'");
  return registry;
}

void or_nothing(const std::function<void()>& work) {
  try {
    work();
  } catch (const core::Interrupted& error) {
    throw core::Interrupted(error.message(), "nothing was written; the same command begins anew");
  }
}

namespace {

void setup_predictor(CLI::App& app) {
  app.require_subcommand(1);
  for (const auto& name : predictor_commands().names())
    predictor_commands().at(name)(*app.add_subcommand(name, predictor_commands().summary(name)));
}

const core::Registered kEntry{commands(), "predictor",
                              "learned predictors: fit, ask, score, carry to a new device",
                              CommandSetup(setup_predictor)};

}  // namespace
}  // namespace mosaic::cli
