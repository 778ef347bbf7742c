#include "algorithm_state.hpp"

#include "mosaic/core/hash.hpp"

namespace mosaic::search {

namespace {

/// Bump when the content of a state changes its meaning.
constexpr const char* kVersion = "mosaic-search-state 1";

}  // namespace

std::string state_identity(const core::Call& call, const spaces::Space& space,
                           const AlgorithmSettings& settings) {
  std::string text = call.name + "(";
  for (const auto& [key, value] : call.arguments)
    text.append(text.back() == '(' ? "" : ", ").append(key).append("=").append(value);
  std::string begun;  // only where there is something to tell: older states stay valid
  if (settings.constraints > 0) begun += " constraints=" + std::to_string(settings.constraints);
  if (!settings.start.empty()) {
    core::Hasher hasher;
    for (const auto& genotype : settings.start) hasher.add(space.text(genotype));
    begun += " start=" + hasher.hex().substr(16);
  }
  if (settings.candidates) begun += " candidates=" + settings.candidates->identity();
  return text + ") on " + space.name() + " " + space.hash() +
         " population=" + std::to_string(settings.population) +
         " objectives=" + std::to_string(settings.objectives) +
         " seed=" + std::to_string(settings.seed) + begun;
}

std::string write_state(const std::string& identity, const std::string& content) {
  return std::string(kVersion) + "\n" + identity + "\n" + core::hash_hex(content) + "\n" + content;
}

std::string read_state(const std::string& identity, const std::string& state) {
  std::size_t begin = 0;
  const auto line = [&] {
    const auto end = state.find('\n', begin);
    if (end == std::string::npos)
      throw core::Error("the saved search state is truncated", "start the search again");
    std::string text = state.substr(begin, end - begin);
    begin = end + 1;
    return text;
  };
  if (const auto version = line(); version != kVersion)
    throw core::Error(
        "the saved search state is of the format '" + version + "', not '" + kVersion + "'",
        "go on with the version of Mosaic that began the search");
  if (const auto found = line(); found != identity) {
    constexpr const char* kCandidates = " candidates=";
    const bool older = identity.find(kCandidates) != std::string::npos &&
                       found.find(kCandidates) == std::string::npos;
    throw core::Error("the saved search state is of " + found + ", not of " + identity,
                      older ? "an earlier version began it, which proposed networks outside of the "
                              "table too: begin the job under another name"
                            : "go on with the job file that began the search");
  }
  const std::string checksum = line();
  std::string content = state.substr(begin);
  if (core::hash_hex(content) != checksum)
    throw core::Error("the saved search state is truncated or damaged", "start the search again");
  return content;
}

void throw_bad_state(const std::string& algorithm, const std::string& why) {
  throw core::Error("the saved state of " + algorithm + " cannot be read: " + why,
                    "start the search again");
}

}  // namespace mosaic::search
