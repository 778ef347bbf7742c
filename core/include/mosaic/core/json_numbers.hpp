/// Numbers in JSON files that anybody may have edited.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

namespace mosaic::core {

/// Throws core::Error, with `advice`, unless every number of the description of a `kind`
/// ("network") is whole and no larger than 2^30: it fits an int, and sums and products of a few of
/// them stay exact. (What becomes of any other one that is read as an int is undefined.) Real
/// numbers stand under the keys `reals`, which are not looked at. Refuses what is nested deeper
/// than 16.
void check_numbers(const nlohmann::json& value, const std::string& kind, const std::string& advice,
                   const std::set<std::string>& reals = {});

}  // namespace mosaic::core
