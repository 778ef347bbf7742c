/// Subcommands of `mosaic predictor`: each file registers one and nothing else knows it.
#pragma once

#include <functional>

#include "command.hpp"

namespace mosaic::cli {

/// `const core::Registered kEntry{predictor_commands(), "fit", "what it does",
/// CommandSetup(setup)};`
core::Registry<CommandSetup>& predictor_commands();

/// Runs what writes its results at the end: the log says now and then that it goes on, and an
/// interruption that there are none.
void or_nothing(const std::function<void()>& work);

}  // namespace mosaic::cli
