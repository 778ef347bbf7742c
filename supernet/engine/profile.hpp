/// What a GPU does while something runs, kernel by kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mosaic::supernet {

struct Profile {
  struct Share {
    std::string name;
    double seconds = 0;
    std::int64_t launches = 0;
  };
  double seconds = 0;          ///< from the first kernel's begin to the last one's end
  double busy = 0;             ///< of these, while at least one kernel ran
  std::vector<Share> classes;  ///< of kernels, longest first: "matrix product", "optimiser", ...
  std::vector<Share> kernels;  ///< by name, longest first
};

/// The kernels that `work` launches or replays, by CUPTI. Empty where there is no GPU.
Profile profiled(const std::function<void()>& work);

/// What kernels of this name do, as a word.
std::string kernel_class(const std::string& kernel);

/// Its name without where it is declared: "mix_slots<Table<23>>(Table<23>)".
std::string kernel_name(const std::string& kernel);

}  // namespace mosaic::supernet
