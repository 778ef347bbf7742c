/// Subcommands of `mosaic predictor`: each file registers one and nothing else knows it.
#pragma once

#include <functional>
#include <string>

#include "command.hpp"

namespace mosaic::cli {

/// `const core::Registered kEntry{predictor_commands(), "fit", "what it does",
/// setup};`
core::Registry<CommandSetup>& predictor_commands();

/// The end of a setup: help below the options, and the work of a command that writes its results at
/// the end. The log says now and then that it goes on, and an interruption that there are none.
void all_or_nothing(App& app, const std::string& footer, std::function<void()> work);

}  // namespace mosaic::cli
