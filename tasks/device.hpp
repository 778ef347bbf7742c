/// The device that data is moved to.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace mosaic::tasks {

/// "cpu", "cuda", "cuda:1". Throws core::UsageError for another text, core::Error where there is no
/// such device.
c10::Device parse_device(const std::string& text);

}  // namespace mosaic::tasks
