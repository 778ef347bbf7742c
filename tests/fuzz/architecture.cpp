// The text of an architecture, of the space that the first byte picks.
#include "mosaic/spaces/space.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  static const auto all = [] {
    std::vector<spaces::Space> made;
    for (const auto& name : spaces::space_types().names())
      made.push_back(spaces::Space::make(name));
    return made;
  }();
  if (bytes.empty()) return;
  const auto& space = all[static_cast<unsigned char>(bytes[0]) % all.size()];
  const auto genotype = space.parse(bytes.substr(1));
  expect(space.canonical(genotype) == genotype, "what is read is canonical");
  expect(space.parse(space.text(genotype)) == genotype, "written and read: the same");
}
