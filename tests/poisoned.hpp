/// Memory that nobody wrote to.
#pragma once

#include <ATen/Context.h>

/// While it lives, tensors that are made without values hold NaN: what a kernel leaves out shows.
class Poisoned {
 public:
  Poisoned() { at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true); }
  ~Poisoned() { at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false); }
  Poisoned(const Poisoned&) = delete;
  Poisoned& operator=(const Poisoned&) = delete;
};
