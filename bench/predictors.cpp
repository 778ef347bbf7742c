// Latency of translation Transformers (HAT's tables: 2,000 measured networks a device, in measuring
// order): our predictors beside plain baselines, on the same rows and seeds.
//
//   bench_predictors DATA_FOLDER [SEEDS=5] [PREDICTOR ...]
//
// Each seed holds 400 random rows out; the other 1,600, in file order, are fitted. Scored are the
// held out rows outside slow stretches, once by the definition that knows the decoder depth (a row
// is slow where the ratio to the median of its depth, as a median over the 41 rows around it,
// exceeds 1.1), once by what detect_slow_stretches() finds without being told a column.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/predictors/drift.hpp"
#include "mosaic/predictors/predictor.hpp"

using namespace mosaic;
using namespace mosaic::predictors;

namespace {

constexpr std::size_t kDepth = 5;  // the column decoder_layer_num
constexpr std::size_t kHeldOut = 400;
constexpr std::size_t kCleanRows = 600;

struct Rows {
  std::vector<Features> features;
  std::vector<double> targets;
  std::vector<std::size_t> index;

  void add(const Features& row, double target, std::size_t at) {
    features.push_back(row);
    targets.push_back(target);
    index.push_back(at);
  }
};

Rows read_set(const std::string& path) {
  const core::CsvTable table = core::read_csv(path);
  const auto encoder = table.column("latency_mean_encoder");
  const auto decoder = table.column("latency_mean_decoder");
  Rows rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    Features row;
    for (std::size_t column = 0; column < 10; ++column) row.push_back(table.number(i, column));
    rows.add(row, table.number(i, encoder) + table.number(i, decoder), i);
  }
  return rows;
}

/// What the targets of each depth have as their median.
std::map<double, double> medians_by_depth(const Rows& rows) {
  std::map<double, std::vector<double>> groups;
  for (std::size_t i = 0; i < rows.targets.size(); ++i)
    groups[rows.features[i][kDepth]].push_back(rows.targets[i]);
  std::map<double, double> medians;
  for (const auto& [depth, values] : groups) medians[depth] = core::median(values);
  return medians;
}

std::vector<bool> slow_by_depth(const Rows& rows) {
  auto medians = medians_by_depth(rows);
  std::vector<double> ratio;
  for (std::size_t i = 0; i < rows.targets.size(); ++i)
    ratio.push_back(rows.targets[i] / medians.at(rows.features[i][kDepth]));
  std::vector<bool> slow;
  for (std::ptrdiff_t i = 0; i < std::ssize(ratio); ++i)
    slow.push_back(core::median({ratio.begin() + std::max<std::ptrdiff_t>(0, i - 20),
                                 ratio.begin() + std::min(std::ssize(ratio), i + 21)}) > 1.1);
  return slow;
}

/// A fit's answers for `unseen`, its description and processor seconds.
struct Answer {
  std::vector<Prediction> predictions;
  std::string description;
  double seconds = 0;
};

Answer ask(const std::string& name, Rows known, const Rows& unseen, const std::vector<bool>& slow,
           std::uint64_t seed) {
  const std::clock_t begin = std::clock();
  Answer answer;
  if (name == "depth alone") {
    auto medians = medians_by_depth(known);
    for (const auto& row : unseen.features)
      answer.predictions.push_back({medians.at(row[kDepth]), 0});
  } else {
    std::string spec = name;
    if (name == "gp on 600 clean rows") {  // is told which rows are slow
      spec = "gp";
      Rows clean;
      for (const auto i :
           core::Stream(seed, "bench.predictors.clean").permutation(known.targets.size()))
        if (!slow[known.index[i]] && clean.targets.size() < kCleanRows)
          clean.add(known.features[i], known.targets[i], known.index[i]);
      known = clean;
    }
    const auto predictor = make_predictor(spec);
    predictor->fit(known.features, known.targets, seed);
    answer.predictions = predictor->predict(unseen.features);
    answer.description = predictor->describe();
  }
  answer.seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return answer;
}

Scores score_without(const Answer& answer, const Rows& unseen, const std::vector<bool>& without) {
  std::vector<Prediction> predicted;
  std::vector<double> truth;
  for (std::size_t i = 0; i < unseen.targets.size(); ++i) {
    if (without[unseen.index[i]]) continue;
    predicted.push_back(answer.predictions[i]);
    truth.push_back(unseen.targets[i]);
  }
  return score(predicted, truth);
}

std::string spread(const std::vector<double>& values, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << core::mean(values) << " +- "
       << core::deviation(values);
  return text.str();
}

void run_set(const std::string& folder, const std::string& set, std::uint64_t seeds,
             const std::vector<std::string>& names) {
  const Rows rows = read_set(folder + "/hat-latency/" + set + ".csv.gz");
  const std::size_t count = rows.targets.size();
  const auto slow = slow_by_depth(rows);
  const Drift drift = detect_slow_stretches(rows.features, rows.targets);
  std::vector<bool> found;
  std::size_t equal = 0;
  for (std::size_t i = 0; i < count; ++i) {
    found.push_back(drift.in_stretch(i));
    equal += found[i] == slow[i] ? 1 : 0;
  }
  std::cout << "\n## " << set << "\n"
            << std::count(slow.begin(), slow.end(), true) << " of " << count
            << " rows slow by the depth's medians; the detector agrees on " << equal << ":\n"
            << describe(drift) << "\n";
  std::cout
      << "| predictor | MAPE % | pairs | coverage | MAPE %, rows by the detector | seconds |\n"
      << "|---|---|---|---|---|---|\n";
  for (const auto& name : names) {
    std::vector<double> mape, pairs, coverage, own, seconds;
    std::string description;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const auto order = core::Stream(seed, "bench.predictors.split").permutation(count);
      std::vector<bool> held_out(count, false);
      for (std::size_t i = 0; i < kHeldOut; ++i) held_out[order[i]] = true;
      Rows known;
      Rows unseen;
      for (std::size_t i = 0; i < count; ++i)
        (held_out[i] ? unseen : known).add(rows.features[i], rows.targets[i], i);
      const Answer answer = ask(name, known, unseen, slow, seed);
      const Scores scores = score_without(answer, unseen, slow);
      mape.push_back(scores.mape);
      pairs.push_back((scores.kendall + 1) / 2);
      coverage.push_back(scores.coverage);
      own.push_back(score_without(answer, unseen, found).mape);
      seconds.push_back(answer.seconds);
      description = answer.description;
    }
    std::cout << "| " << name << " | " << spread(mape, 3) << " | " << spread(pairs, 4) << " | "
              << spread(coverage, 3) << " | " << spread(own, 3) << " | " << spread(seconds, 1)
              << " |\n"
              << std::flush;
    if (!description.empty()) std::cerr << description;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: bench_predictors DATA_FOLDER [SEEDS=5] [PREDICTOR ...]\n";
    return 2;
  }
  const std::uint64_t seeds = argc > 2 ? std::stoul(argv[2]) : 5;
  std::vector<std::string> names(argv + std::min(argc, 3), argv + argc);
  if (names.empty())
    names = {"auto(ordered=yes)",   "gp",          "ridge",
             "boosted-trees",       "depth alone", "ridge(degree=2)",
             "gp on 600 clean rows"};
  try {
    std::cout << core::cpu_name() << ", revision " << core::revision() << ", " << seeds
              << " seeds\n";
    for (const char* set : {"iwslt14deen_gpu_titanxp", "wmt14ende_gpu_titanxp",
                            "wmt14ende_cpu_xeon", "wmt14ende_cpu_raspberrypi"})
      run_set(argv[1], set, seeds, names);
  } catch (const core::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
