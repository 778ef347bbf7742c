// Few-shot transfer of latencies to a new device: leave one device out over a table of devices.
//
//   bench_transfer nasbench201.csv.gz [--columns 'latency_ms_*'] [--space nasbench201] [--seeds 5]
//
// The device that is left out is "new": its siblings (the same name up to a last _NUMBER, a batch
// size) are left out too. Methods: Transfer with its own choice of networks and with random ones;
// principal components of the known devices + ridge, and the nearest known device, both on random
// networks, the former on the chosen ones too. Score: Spearman's rho over all networks of the
// table; for Transfer also the error of the value and the coverage of 90% intervals.
#include <CLI/CLI.hpp>
#include <Eigen/Dense>
#include <cmath>
#include <cstdio>
#include <map>
#include <regex>

#include "mosaic/core/error.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/core/ranking.hpp"
#include "mosaic/predictors/transfer.hpp"

using namespace mosaic;
using predictors::KnownDevices;
using predictors::Measured;
using predictors::Transfer;

namespace {

const std::vector<std::size_t> kCounts = {5, 10, 20};
const std::vector<std::string> kMethods = {"transfer",   "random networks",    "no structure",
                                           "components", "components, chosen", "nearest"};

/// "1080ti_32" -> "1080ti"; names without a batch size stay.
std::string family(const std::string& device) {
  return std::regex_replace(device, std::regex("_(1|32|256)$"), "");
}

struct Split {
  KnownDevices known;
  std::string device;
  std::vector<double> truth;
};

Split leave_out(const KnownDevices& all, std::size_t device) {
  Split split;
  split.device = all.devices[device];
  split.truth = all.latency[device];
  split.known.archs = all.archs;
  for (std::size_t d = 0; d < all.devices.size(); ++d)
    if (family(all.devices[d]) != family(split.device)) {
      split.known.devices.push_back(all.devices[d]);
      split.known.latency.push_back(all.latency[d]);
    }
  return split;
}

std::vector<std::size_t> random_networks(std::size_t networks, std::size_t count,
                                         std::uint64_t seed, std::size_t device) {
  auto order = core::Stream(seed, "bench.transfer", device).permutation(networks);
  order.resize(count);
  return order;
}

std::vector<Measured> measure(const Split& split, const std::vector<std::size_t>& networks) {
  std::vector<Measured> result;
  for (const std::size_t i : networks) result.push_back({split.known.archs[i], split.truth[i]});
  return result;
}

/// Logarithms of the known devices' latencies.
Eigen::MatrixXd logarithms(const KnownDevices& known) {
  Eigen::MatrixXd result(static_cast<Eigen::Index>(known.archs.size()),
                         static_cast<Eigen::Index>(known.devices.size()));
  for (Eigen::Index d = 0; d < result.cols(); ++d)
    for (Eigen::Index i = 0; i < result.rows(); ++i)
      result(i, d) =
          std::log(known.latency[static_cast<std::size_t>(d)][static_cast<std::size_t>(i)]);
  return result;
}

/// The known device whose latencies of the measured networks correlate best (of logarithms).
std::vector<double> nearest_device(const Split& split, const Eigen::MatrixXd& tables,
                                   const std::vector<std::size_t>& networks) {
  const std::vector<Eigen::Index> rows(networks.begin(), networks.end());
  Eigen::VectorXd y(static_cast<Eigen::Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    y(static_cast<Eigen::Index>(i)) = std::log(split.truth[networks[i]]);
  y.array() -= y.mean();
  std::size_t best = 0;
  double most = -2;
  for (Eigen::Index d = 0; d < tables.cols(); ++d) {
    Eigen::VectorXd x = tables.col(d)(rows);
    x.array() -= x.mean();
    const double correlation = x.dot(y) / std::max(1e-300, x.norm() * y.norm());
    if (correlation <= most) continue;
    most = correlation;
    best = static_cast<std::size_t>(d);
  }
  return split.known.latency[best];
}

/// Ridge on the principal components of the known devices' log latencies, each with the variance
/// that it has there; penalty by leave-one-out over the measured networks.
std::vector<double> components(const Split& split, const Eigen::MatrixXd& tables,
                               const std::vector<std::size_t>& networks) {
  const Eigen::MatrixXd centred = tables.rowwise() - tables.colwise().mean();
  // Ridge on all components is ridge on the devices: the rotation changes nothing.
  const std::vector<Eigen::Index> rows(networks.begin(), networks.end());
  Eigen::MatrixXd x = centred(rows, Eigen::all);
  const Eigen::RowVectorXd level = x.colwise().mean();
  x.rowwise() -= level;
  Eigen::VectorXd y(x.rows());
  for (Eigen::Index i = 0; i < y.size(); ++i)
    y(i) = std::log(split.truth[networks[static_cast<std::size_t>(i)]]);
  y.array() -= y.mean();
  const Eigen::MatrixXd kernel = x * x.transpose();
  double least = -1;
  Eigen::VectorXd weights;
  for (double lambda = 1e-4; lambda < 20; lambda *= 2) {
    Eigen::MatrixXd inverse = kernel;
    inverse.diagonal().array() += lambda;
    inverse = inverse.inverse().eval();
    // Residual without record i: (y - Hy)_i / (1 - h_ii), H = K (K + lambda)^-1 + 1/n.
    const Eigen::VectorXd left =
        (lambda * inverse.diagonal().array() - 1.0 / static_cast<double>(y.size())).max(1e-3);
    const double error = ((lambda * inverse * y).array() / left.array()).square().sum();
    if (least >= 0 && error >= least) continue;
    least = error;
    weights = x.transpose() * (inverse * y);
  }
  const Eigen::VectorXd predicted = centred * weights;
  return {predicted.begin(), predicted.end()};
}

/// [method][k] for one device, over seeds.
struct Row {
  std::map<std::string, std::map<std::size_t, std::vector<double>>> spearman;
  std::map<std::size_t, std::vector<double>> mape;
  std::map<std::size_t, std::vector<double>> coverage;
};

std::vector<double> means(const std::vector<predictors::Prediction>& predictions) {
  return core::mapped(predictions, &predictors::Prediction::mean);
}

Row run(const Split& split, std::size_t device, const predictors::Structure& structure,
        std::uint64_t seeds) {
  Row row;
  const Transfer model(split.known, structure);
  const Transfer bare(split.known);
  const Eigen::MatrixXd tables = logarithms(split.known);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    for (const std::size_t k : kCounts) {
      const auto put = [&](const std::string& method, const std::vector<double>& predicted) {
        row.spearman[method][k].push_back(core::rank_correlation(predicted, split.truth));
      };
      const auto list = model.suggest(k, seed);
      const auto chosen = model.predict(measure(split, list));
      put("transfer", means(chosen.predictions));
      const auto scores = predictors::score(chosen.predictions, split.truth);
      row.mape[k].push_back(scores.mape);
      row.coverage[k].push_back(scores.coverage);
      const auto random = random_networks(split.truth.size(), k, seed, device);
      put("random networks", means(model.predict(measure(split, random)).predictions));
      put("no structure", means(bare.predict(measure(split, bare.suggest(k, seed))).predictions));
      put("components", components(split, tables, random));
      put("components, chosen", components(split, tables, list));
      put("nearest", nearest_device(split, tables, random));
    }
  return row;
}

void print(const std::vector<std::string>& devices, const std::vector<Row>& rows) {
  std::printf("\nSpearman's rho, mean over seeds\n\n| device |");
  for (const auto& method : kMethods)
    for (const std::size_t k : kCounts) std::printf(" %s %zu |", method.c_str(), k);
  std::printf(" MAPE %% 10 | cover 10 |\n|---|");
  for (std::size_t i = 0; i < kMethods.size() * kCounts.size() + 2; ++i) std::printf("---|");
  std::printf("\n");
  for (std::size_t d = 0; d < rows.size(); ++d) {
    std::printf("| %s |", devices[d].c_str());
    for (const auto& method : kMethods)
      for (const std::size_t k : kCounts)
        std::printf(" %.3f |", core::mean(rows[d].spearman.at(method).at(k)));
    std::printf(" %.1f | %.2f |\n", core::mean(rows[d].mape.at(10)),
                core::mean(rows[d].coverage.at(10)));
  }
}

/// Mean over the devices, and the spread of that mean over seeds.
void print_summary(const std::vector<Row>& rows, std::uint64_t seeds) {
  std::printf("\n| method | k = 5 | k = 10 | k = 20 |\n|---|---|---|---|\n");
  for (const auto& method : kMethods) {
    std::printf("| %s |", method.c_str());
    for (const std::size_t k : kCounts) {
      std::vector<double> means(seeds);
      for (const auto& row : rows)
        for (std::size_t seed = 0; seed < seeds; ++seed)
          means[seed] += row.spearman.at(method).at(k)[seed] / static_cast<double>(rows.size());
      std::printf(" %.4f +- %.4f |", core::mean(means), core::deviation(means));
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("few-shot transfer of latencies to a new device");
  std::string file;
  std::string columns = "latency_ms_*";
  std::string space = "nasbench201";
  std::uint64_t seeds = 5;
  app.add_option("FILE", file, "CSV(.gz) of devices")->required();
  app.add_option("--columns", columns, "pattern of the columns")->capture_default_str();
  app.add_option("--space", space, "space of the networks")->capture_default_str();
  app.add_option("--seeds", seeds, "seeds")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const std::vector<std::string> select{columns};
    const KnownDevices all = predictors::read_known_devices(file, select);
    const auto structure = predictors::structure_of(spaces::Space::make(space), all.archs);
    std::printf("%zu networks, %zu devices\n", all.archs.size(), all.devices.size());
    std::vector<Row> rows;
    for (std::size_t d = 0; d < all.devices.size(); ++d) {
      rows.push_back(run(leave_out(all, d), d, structure, seeds));
      std::printf("%s %.4f\n", all.devices[d].c_str(),
                  core::mean(rows.back().spearman.at("transfer").at(10)));
      std::fflush(stdout);
    }
    print(all.devices, rows);
    print_summary(rows, seeds);
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
