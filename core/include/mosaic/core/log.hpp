/// Messages for a person, on standard error. Results go to standard output, never through here.
#pragma once

#include <string>

namespace mosaic::core {

enum class LogLevel { debug, info, warning, error, off };

void set_log_level(LogLevel level);
void log_info(const std::string& message);
void log_warning(const std::string& message);

}  // namespace mosaic::core
