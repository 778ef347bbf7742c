// A TOML document: typed reads of whatever keys there are, and its identity.
#include "mosaic/core/config.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  auto config = core::Config::from_text(bytes, "job.toml");
  const auto again = core::Config::from_text(config.text(), "again.toml");
  expect(config.hash() == again.hash(), "one document has one hash");
  expect(config.changes_since(again).empty(), "one document has no changes");
  auto root = config.root();
  auto job = root.section("job");
  job.integer("seed", 1, 0);
  job.string("name", "");
  job.numbers("x", {}, 0, 1);
  for (auto& objective : root.sections("objective")) objective.required_string("metric");
  for (const auto& [key, value] : root.section("space").scalars_except({"name"})) {
    (void)key;
    (void)value;
  }
  config.finish();
}
