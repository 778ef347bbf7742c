#include "mosaic/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>

#include "mosaic/core/text.hpp"
#include "status_line.hpp"

namespace mosaic::core {

namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto result = std::make_shared<spdlog::logger>(
        "mosaic", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    result->set_pattern("[%H:%M:%S] %^%l%$: %v");
    result->set_level(spdlog::level::info);
    result->flush_on(spdlog::level::trace);
    return result;
  }();
  return *instance;
}

void log(spdlog::level::level_enum level, const std::string& message) {
  if (!logger().should_log(level)) return;
  detail::erase_status_line();
  detail::note_said();
  const auto line = printable(message);  // names in it come from outside
  logger().log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

bool detail::shows_progress() { return logger().should_log(spdlog::level::info); }

void set_log_level(LogLevel level) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                               spdlog::level::err, spdlog::level::off};
  logger().set_level(kLevels[static_cast<std::size_t>(level)]);
}

void log_info(const std::string& message) { log(spdlog::level::info, message); }
void log_warning(const std::string& message) { log(spdlog::level::warn, message); }

}  // namespace mosaic::core
