#include "mosaic/search/candidates.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "mosaic/core/hash.hpp"

namespace mosaic::search {

namespace {

constexpr std::size_t kBlock = 64;  // networks compared at a time, by loops that are vectorised

}  // namespace

std::size_t GenotypeHash::operator()(const spaces::Genotype& genotype) const {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const int option : genotype) {
    hash = (hash ^ static_cast<std::uint64_t>(option)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

Candidates::Candidates(std::vector<spaces::Genotype> networks) : networks_(std::move(networks)) {
  std::sort(networks_.begin(), networks_.end());
  core::Hasher hasher;
  const std::size_t padded = (networks_.size() + kBlock - 1) / kBlock * kBlock;
  if (!networks_.empty())
    columns_.assign(networks_[0].size(), std::vector<std::uint16_t>(padded, 0));
  for (std::size_t i = 0; i < networks_.size(); ++i) {
    if (!places_.emplace(networks_[i], i).second)
      throw std::logic_error("Candidates: a network is there twice");
    for (std::size_t g = 0; g < columns_.size(); ++g) {
      columns_[g][i] = static_cast<std::uint16_t>(networks_[i][g]);
      hasher.add(networks_[i][g]);
    }
  }
  identity_ = hasher.hex().substr(16);
}

std::optional<std::size_t> Candidates::find(const spaces::Genotype& genotype) const {
  const auto found = places_.find(genotype);
  return found == places_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::size_t> Candidates::nearest(const spaces::Genotype& genotype,
                                             const std::vector<std::uint8_t>& marks) const {
  std::vector<std::size_t> result;
  std::uint16_t least = std::numeric_limits<std::uint16_t>::max();
  for (std::size_t begin = 0; begin < networks_.size(); begin += kBlock) {
    std::array<std::uint16_t, kBlock> differences{};
    // Neighbours in sorted order have much in common: most blocks are too far after some genes.
    std::uint16_t near = 1;
    for (std::size_t g = 0; g < columns_.size() && near != 0; ++g) {
      const std::uint16_t* column = columns_[g].data() + begin;
      const auto option = static_cast<std::uint16_t>(genotype[g]);
      for (std::size_t i = 0; i < kBlock; ++i)
        differences[i] = static_cast<std::uint16_t>(differences[i] + (column[i] != option ? 1 : 0));
      if (g % 4 != 3) continue;
      near = 0;
      for (std::size_t i = 0; i < kBlock; ++i)
        near = static_cast<std::uint16_t>(near | (differences[i] <= least ? 1 : 0));
    }
    const std::size_t size = near != 0 ? std::min(kBlock, networks_.size() - begin) : 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (differences[i] == 0 || differences[i] > least) continue;
      if (!marks.empty() && marks[begin + i] != 0) continue;
      if (differences[i] < least) result.clear();
      least = differences[i];
      result.push_back(begin + i);
    }
  }
  return result;
}

}  // namespace mosaic::search
