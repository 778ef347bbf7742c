/// Subcommands of `mosaic predictor`: each file registers one and nothing else knows it.
#pragma once

#include "command.hpp"

namespace mosaic::cli {

/// `const core::Registered kEntry{predictor_commands(), "fit", "what it does",
/// CommandSetup(setup)};`
core::Registry<CommandSetup>& predictor_commands();

}  // namespace mosaic::cli
