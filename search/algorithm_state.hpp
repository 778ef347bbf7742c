/// The envelope of a saved algorithm: whose state it is, and whether it is whole.
#pragma once

#include <string>

#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

/// One line that names the algorithm, its arguments, the space and the settings: a state is only
/// loaded into an object of the same identity.
std::string state_identity(const core::Call& call, const spaces::Space& space,
                           const AlgorithmSettings& settings);

/// Identity and checksum, then the content.
std::string write_state(const std::string& identity, const std::string& content);
/// The content. Throws core::Error for a state of another identity, or one that is truncated.
std::string read_state(const std::string& identity, const std::string& state);

[[noreturn]] void throw_bad_state(const std::string& algorithm, const std::string& why);

}  // namespace mosaic::search
