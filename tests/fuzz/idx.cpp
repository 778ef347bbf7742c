// A pair of IDX files: a byte says how long that of the labels is, which comes before that of the
// images.
#include "images/idx.hpp"

#include <algorithm>

#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  const std::size_t labels =
      bytes.empty() ? 0
                    : std::min<std::size_t>(static_cast<unsigned char>(bytes[0]), bytes.size() - 1);
  if (bytes.empty()) return;
  const auto set = tasks::read_idx(file_of(bytes.substr(1 + labels), 0),
                                   file_of(bytes.substr(1, labels), 1), 10);
  expect(static_cast<std::int64_t>(set.pixels.size()) == set.count * set.height * set.width,
         "as many pixels as the header says");
  expect(static_cast<std::int64_t>(set.labels.size()) == set.count, "a label for each image");
}
