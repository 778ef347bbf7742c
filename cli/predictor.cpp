// `mosaic predictor`: learned predictors from and to CSV files.
#include "predictor.hpp"

#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {

core::Registry<CommandSetup>& predictor_commands() {
  static core::Registry<CommandSetup> registry("command of 'mosaic predictor'");
  return registry;
}

void all_or_nothing(App& app, const std::string& footer, std::function<void()> work) {
  app.footer(footer);
  app.callback([work = std::move(work)] {
    try {
      work();
    } catch (const core::Interrupted& error) {
      throw core::Interrupted(error.message(), "nothing was written; the same command begins anew");
    }
  });
}

namespace {

void setup_predictor(App& app) {
  for (const auto& name : predictor_commands().names()) {
    App command = app.add_subcommand(name, predictor_commands().summary(name));
    predictor_commands().at(name)(command);
  }
}

const core::Registered kEntry{commands(), "predictor",
                              "learned predictors: fit, ask, score, carry to a new device",
                              setup_predictor};

}  // namespace
}  // namespace mosaic::cli
