/// Divisions of a space into parts, as text.
#pragma once

#include <string>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::supernet {

/// A decision and groups of its options.
struct Cut {
  int gene = 0;
  std::vector<std::vector<int>> groups;
};

/// "gene=NAME", or "NAME:0,1|2,3;OTHER:0|1": see SharingSettings::split. Throws core::UsageError
/// that quotes what it could not read.
std::vector<Cut> parse_cuts(const std::vector<spaces::Gene>& genes, const std::string& split);
std::string cuts_text(const std::vector<spaces::Gene>& genes, const std::vector<Cut>& cuts);

}  // namespace mosaic::supernet
