/// Small regression problems with known answers, and what the tests of predictors share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "needs.hpp"

namespace mosaic::predictors::testing {

struct Records {
  std::vector<Features> rows;
  std::vector<double> targets;

  Records part(std::size_t begin, std::size_t end) const {
    const auto at = [](auto& values, std::size_t i) {
      return values.begin() + static_cast<std::ptrdiff_t>(i);
    };
    return {{at(rows, begin), at(rows, end)}, {at(targets, begin), at(targets, end)}};
  }

  Records shuffled(std::uint64_t seed) const {
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    core::Stream(seed, "test.shuffle").shuffle(order);
    Records result;
    for (const auto i : order) {
      result.rows.push_back(rows[i]);
      result.targets.push_back(targets[i]);
    }
    return result;
  }
};

/// 100 + 10 x1 - 5 x2 + 2 x3 + ... with normal noise, x uniform in [0, 1).
inline Records linear_records(std::size_t count, std::size_t columns, double noise,
                              std::uint64_t seed) {
  core::Stream stream(seed, "test.linear");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    Features row(columns);
    double target = 100;
    for (std::size_t j = 0; j < columns; ++j) {
      row[j] = stream.uniform();
      target += row[j] * 10 * std::pow(-0.5, static_cast<double>(j));
    }
    records.rows.push_back(row);
    records.targets.push_back(target + noise * stream.normal());
  }
  return records;
}

/// 5 exp(x1 + x2 x3), x uniform in [0, 1), with relative normal noise.
inline Records latency_like_records(std::size_t count, double noise, std::uint64_t seed) {
  core::Stream stream(seed, "test.latency");
  Records records;
  for (std::size_t i = 0; i < count; ++i) {
    const Features row{stream.uniform(), stream.uniform(), stream.uniform()};
    records.rows.push_back(row);
    records.targets.push_back(5 * std::exp(row[0] + row[1] * row[2]) *
                              (1 + noise * stream.normal()));
  }
  return records;
}

inline Scores held_out_scores(const std::string& spec, const Records& records, std::size_t train,
                              std::size_t test, std::uint64_t seed = 1) {
  const Records known = records.part(0, train);
  const Records unseen = records.part(train, std::min(train + test, records.rows.size()));
  const auto predictor = make_predictor(spec);
  predictor->fit(known.rows, known.targets, seed);
  return score(predictor->predict(unseen.rows), unseen.targets);
}

/// What an Error says when `action` throws one.
template <class F>
std::string message_of(F&& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

inline bool same_bits(const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.mean == y.mean && x.deviation == y.deviation;
  });
}

/// A path for a file of one test, removed at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_((std::filesystem::temp_directory_path() /
               (name + "." + std::to_string(std::hash<const void*>{}(this))))
                  .string()) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A published file below $MOSAIC_DATA (or $MOSAIC_DATA_DIR); skips the test where neither is set.
inline std::string data_file(const std::string& name) {
  const char* folder = std::getenv("MOSAIC_DATA");
  if (folder == nullptr) folder = std::getenv("MOSAIC_DATA_DIR");
  if (folder == nullptr)
    skip(Need::kOther,
         "set MOSAIC_DATA to the folder that holds hat-latency/ and nasbench201.csv.gz");
  return std::string(folder) + "/" + name;
}

/// HAT's measured latencies: ten features, target encoder + decoder.
inline Records hat_records(const std::string& path) {
  const core::CsvTable table = core::read_csv(path);
  const auto encoder = table.column("latency_mean_encoder");
  const auto decoder = table.column("latency_mean_decoder");
  Records records;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    Features row;
    for (std::size_t column = 0; column < 10; ++column) row.push_back(table.number(i, column));
    records.rows.push_back(row);
    records.targets.push_back(table.number(i, encoder) + table.number(i, decoder));
  }
  return records;
}

}  // namespace mosaic::predictors::testing
