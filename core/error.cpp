#include "mosaic/core/error.hpp"

#include <utility>

namespace mosaic::core {

Error::Error(std::string message, std::string advice)
    : std::runtime_error(advice.empty() ? message : message + ": " + advice),
      message_(std::move(message)),
      advice_(std::move(advice)) {}

}  // namespace mosaic::core
