/// What the tests of whole jobs share: may they train, and did two of them come to the same.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "mosaic/db/database.hpp"
#include "needs.hpp"
#include "program.hpp"

namespace mosaic::cli::test {

/// Skips the test where there is nothing to train on.
inline void need_data() {
  need(has_fashion_mnist(), Need::kData,
       "Fashion-MNIST is not installed (Debian package dataset-fashion-mnist)");
}

/// What must be equal between a broken and an unbroken run: everything measured and found, no
/// times.
inline std::string content(const std::filesystem::path& path) {
  const db::Reader reader(path.string());
  std::string text;
  for (const auto* sql :
       {"SELECT e.number, a.arch FROM evaluations e JOIN architectures a ON a.id = e.architecture "
        "ORDER BY 1",
        "SELECT a.arch, m.metric, m.value, m.fidelity FROM measurements m JOIN architectures a ON "
        "a.id = m.architecture ORDER BY 1, 2, 4, 3",
        "SELECT step, loss, accuracy FROM training ORDER BY step",
        "SELECT number, evaluations, hypervolume FROM generations ORDER BY number"})
    for (const auto& row : reader.query(sql).rows) {
      for (const auto& cell : row) text += cell.text + "|";
      text += "\n";
    }
  return text;
}

}  // namespace mosaic::cli::test
