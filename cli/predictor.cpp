// `mosaic predictor`: learned predictors from and to CSV files.
#include "predictor.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
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

namespace {

/// A line in the log after ten seconds, and then every half minute.
class SignOfLife {
 public:
  SignOfLife() {
    try {
      thread_ = std::jthread([this](const std::stop_token& stop) { tell(stop); });
    } catch (const std::system_error&) {  // no thread to be had: silence
    }
  }

 private:
  void tell(const std::stop_token& stop) {
    const core::Stopwatch watch;
    std::unique_lock lock(mutex_);
    for (auto wait = std::chrono::seconds(10);; wait = std::chrono::seconds(30)) {
      ended_.wait_for(lock, stop, wait, [] { return false; });
      if (stop.stop_requested()) return;
      core::log_info("still at work after " + core::human_seconds(watch.seconds()) +
                     " (Ctrl-C stops it)");
    }
  }
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;  // the last member: it ends first
};

}  // namespace

void all_or_nothing(App& app, const std::string& footer, std::function<void()> work) {
  app.footer(footer);
  app.callback([work = std::move(work)] {
    const SignOfLife life;
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
