/// A job over a table of made-up values: quick, exact, and the same on every machine.
#pragma once

#include <string>

namespace mosaic::cli::test {

inline const std::string kTableJob = R"toml([job]
name = "j"
[space]
name = "resnet-pooling"
[evaluator]
type = "table"
file = "t.csv"
[[objective]]
metric = "score"     # the one
goal = "max"
[[objective]]
metric = "ms"
goal = "min"
[search]
algorithm = "nsga2"
population = 8
evaluations = 12     # few
)toml";

/// t.csv: all 36 networks of the space.
inline std::string table() {
  std::string text = "arch,score,ms\n";
  int row = 0;
  for (int a = 1; a <= 8; ++a)
    for (int b = 1; a + b <= 9; ++b, ++row)
      text += std::to_string(a) + "-" + std::to_string(b) + "-" + std::to_string(10 - a - b) + "," +
              std::to_string(row * 7 % 36) + "," + std::to_string(row * 5 % 36) + "\n";
  return text;
}

}  // namespace mosaic::cli::test
