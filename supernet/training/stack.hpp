/// What supernets and subnets that train side by side share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {

/// A data order for each network: the first for all where none are given. Throws std::logic_error
/// for another number of them.
std::vector<std::int64_t> one_order_each(std::size_t networks, std::vector<std::int64_t> orders);

/// Compiled programs of what comes again.
template <class Key>
class Programs {
 public:
  /// For this mode; `make` is asked once, for a program.
  template <class Make>
  std::shared_ptr<const Program> at(const Key& key, const Mode& mode, const Make& make) {
    constexpr std::size_t kKept = 128;
    auto& known = known_[{mode.training, mode.attention}];
    if (const auto found = known.find(key); found != known.end()) return found->second;
    if (known.size() >= kKept) known.clear();
    return known[key] = std::make_shared<const Program>(make());
  }

 private:
  std::map<std::pair<bool, bool>, std::map<Key, std::shared_ptr<const Program>>> known_;
};

}  // namespace mosaic::supernet
