/// Supernets of one space and one way of sharing side by side: what they have alike is one tensor.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "engine/mixing.hpp"
#include "mosaic/supernet/networks/supernet.hpp"

namespace mosaic::supernet {

class Members {
 public:
  /// Their tensors become views of what is shared here (networks/stack.hpp).
  explicit Members(std::span<Supernet* const> supernets);

  /// Tensors [rows, ...] of the members that have them.
  struct Shared {
    std::string name;           ///< of the tensor in each of them
    at::Tensor value;           ///< a leaf of gradients
    std::vector<int> networks;  ///< of each row, ascending
    int slot = -1;              ///< of the SuperGraph, whose copies it holds; -1: none
    at::Tensor own;             ///< where it is one member's alone: that tensor; else undefined
  };
  const std::vector<Shared>& tensors() const { return tensors_; }
  /// Have all members their architectures in the same parts of the space? Then they compute with
  /// copies that stay where they are, else with some that are put together each time.
  bool same_parts() const { return same_parts_; }
  /// What all members compute this architecture with.
  WeightSources sources(const spaces::Genotype& genotype, const Program& program,
                        const Mode& mode) const;
  /// Are the supernets' tensors still those that are shared here?
  bool current() const;

 private:
  Mixes mixes(const spaces::Genotype& genotype, const Program& program, bool training) const;
  at::Tensor copies(std::size_t slot, const spaces::Genotype& genotype) const;
  std::vector<const void*> addresses() const;

  std::vector<Supernet*> members_;
  bool same_parts_ = true;
  std::vector<Shared> tensors_;
  std::map<std::pair<int, std::int64_t>, at::Tensor> copies_;  ///< by slot and part
  /// Parameters of all ways of sharing, where they are asked at once.
  std::vector<at::Tensor> sharings_;
  std::vector<const void*> addresses_;  ///< of all tensors of the supernets
};

}  // namespace mosaic::supernet
