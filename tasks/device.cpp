#include "device.hpp"

#include <torch/cuda.h>

#include "message.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::tasks {

c10::Device parse_device(const std::string& text) {
  const bool cuda = text.rfind("cuda", 0) == 0;
  if (text != "cpu" && !cuda)
    throw core::UsageError(message("unknown device '{}'", text), "use cpu, cuda or cuda:N");
  if (cuda && !torch::cuda::is_available())
    throw core::Error(message("device '{}' asked for, but there is no usable CUDA device", text),
                      "use device cpu, or run `mosaic doctor` to see what is missing");
  try {
    const c10::Device device(text);
    if (cuda && device.has_index() &&
        device.index() >= static_cast<int>(torch::cuda::device_count()))
      throw core::Error(message("device '{}' asked for, but there are {} CUDA devices", text,
                                torch::cuda::device_count()),
                        "they are numbered from cuda:0");
    return device;
  } catch (const c10::Error&) {
    throw core::UsageError(message("unknown device '{}'", text), "use cpu, cuda or cuda:N");
  }
}

}  // namespace mosaic::tasks
