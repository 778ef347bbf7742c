/// Forward passes in bfloat16 on a GPU.
#pragma once

#include <ATen/autocast_mode.h>
#include <c10/util/ScopeExit.h>

namespace mosaic::supernet {

/// While the result lives, products are made in bfloat16 (GPU only); master weights stay float32.
inline auto autocast(bool on) {
  if (on) {
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
  }
  return c10::make_scope_exit([on] {
    if (!on) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  });
}

}  // namespace mosaic::supernet
