/// What only a GPU has: kernels recorded once and replayed, memory given back, streams of random
/// numbers on the device. Elsewhere there is nothing to record.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <ATen/core/Generator.h>

namespace mosaic::supernet {

/// Can passes be recorded on this device?
bool can_record(const std::string& device);

/// While it lives, what this thread launches goes to a stream that can be recorded, one for all:
/// the device's usual one cannot. Waits for the device at both ends; within another it does
/// nothing.
class OwnStream {
 public:
  explicit OwnStream(const std::string& device);
  ~OwnStream();
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

 private:
  class Guard;
  std::unique_ptr<Guard> guard_;
};

/// Kernels of a function as a CUDA graph. Recordings of one pool share their memory: they run one
/// after the other, and what one wrote is overwritten by the next.
class Recording {
 public:
  using Pool = std::pair<unsigned long long, unsigned long long>;
  static Pool make_pool();

  /// Runs `pass` twice: once so that kernels are loaded and workspaces made, once to record it
  /// (without `warm_up` that alone: it has run within this OwnStream). It must not wait for the
  /// device, and finds what it reads at the same addresses when it is replayed. Numbers drawn from
  /// `random` are new ones at each replay.
  Recording(const std::function<void()>& pass, Pool pool, at::Generator random,
            bool warm_up = true);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  void replay();

 private:
  class Graph;
  std::unique_ptr<Graph> graph_;
};

/// Gives memory that nobody uses back to the device: what finished recordings leave behind is of no
/// use to others.
void release_unused_memory(const std::string& device);

/// Bytes that this process holds on a GPU, in use or not; 0 elsewhere.
double reserved_bytes(const std::string& device);

/// A source of random numbers of its own for ops on this device.
at::Generator make_random(const std::string& device);

}  // namespace mosaic::supernet
