#include "mosaic/search/search.hpp"

namespace mosaic::search {

namespace {

/// Runs `check`, and gives what it finds wrong the place in the job file.
template <class Check>
void at_key(const core::Section& section, const std::string& key, Check check) {
  try {
    check();
  } catch (const core::UsageError& error) {
    section.fail(key, error.message(), error.advice());
  }
}

}  // namespace

SearchSettings SearchSettings::read(core::Section section) {
  SearchSettings settings;
  settings.algorithm = section.string("algorithm", settings.algorithm);
  settings.evaluations = section.integer("evaluations", settings.evaluations, 1, 1'000'000'000);
  settings.stall = section.integer("stall", settings.stall, 1, 1'000'000'000);
  settings.patience = section.integer("patience", settings.patience, 0, 1'000'000'000);
  settings.minutes = section.number("minutes", settings.minutes, 0, 1e9);

  AlgorithmType type;
  at_key(section, "algorithm", [&] {
    const core::Call call = core::parse_call(settings.algorithm);
    type = algorithms().at(call.name);
    if (type.arguments) type.arguments(call);
  });
  settings.population = section.integer(
      "population", static_cast<std::int64_t>(type.default_population), 1, 1'000'000);
  at_key(section, "population", [&] {
    if (type.population)
      type.population(core::parse_call(settings.algorithm),
                      static_cast<std::size_t>(settings.population));
  });
  return settings;
}

const std::vector<std::string>& SearchSettings::limits() {
  static const std::vector<std::string> keys{"evaluations", "stall", "patience", "minutes"};
  return keys;
}

bool SearchSettings::allows_as_much_as(const SearchSettings& before) const {
  const auto as_much = [](double now, double then) {
    return now == 0 || (then > 0 && now >= then);
  };
  return evaluations >= before.evaluations && stall >= before.stall &&
         as_much(static_cast<double>(patience), static_cast<double>(before.patience)) &&
         as_much(minutes, before.minutes);
}

}  // namespace mosaic::search
