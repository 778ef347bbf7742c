// Tables of known devices and of measurements, and the structure of their networks.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/measurement.hpp"
#include "mosaic/core/parallel.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/predictors/transfer.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::predictors {

namespace {

constexpr double kWild = 0.1;  // rows of a network that differ by more are warned of

std::set<std::size_t> columns_of(const core::CsvTable& table,
                                 std::span<const std::string> patterns) {
  std::set<std::size_t> result;
  for (const auto& pattern : patterns)
    for (const std::size_t column : table.matching(pattern)) result.insert(column);
  return result;
}

/// The network of a row, as the space writes it where there is one.
std::string network_of(const core::CsvTable& table, std::size_t row, std::size_t arch,
                       const NameOf& name) {
  const std::string& text = table.rows[row][arch];
  try {
    return name ? name(text) : text;
  } catch (const core::UsageError& error) {
    throw core::UsageError(table.place(row) + error.message(), error.advice());
  }
}

/// A cell that must be a positive number of milliseconds.
double latency_of(const core::CsvTable& table, std::size_t row, std::size_t column) {
  const double value = table.number(row, column);
  if (!(value > 0))
    throw core::Error(table.place(row) + "column '" + table.columns[column] + "' is " +
                          table.rows[row][column] + ", but a latency is more than 0 ms",
                      "leave the cell empty where a network was not measured");
  return value;
}

/// Rows by network; the rule for several rows of one is that their mean is taken, and the log tells
/// how far they lie apart.
class Networks {
 public:
  explicit Networks(const core::CsvTable& table) : table_(table) {}

  void add(const std::string& network, std::size_t row) {
    const auto [found, is_new] = places_.emplace(network, rows_.size());
    if (is_new) {
      names_.push_back(network);
      rows_.emplace_back();
    }
    rows_[found->second].push_back(row);
  }
  const std::vector<std::string>& names() const { return names_; }

  /// Of each network, the mean of its latencies in `column`; NaN where it has none.
  std::vector<double> means(std::size_t column) {
    std::vector<double> result;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      std::vector<double> values;
      std::vector<std::string> told;
      for (const std::size_t row : rows_[i]) {
        if (core::is_missing(table_.rows[row][column])) continue;
        values.push_back(latency_of(table_, row, column));
        if (rows_[i].size() > 1)
          told.push_back(table_.rows[row][column] + " in line " +
                         std::to_string(table_.lines[row]));
      }
      const double sum = std::accumulate(values.begin(), values.end(), 0.0);
      result.push_back(sum / static_cast<double>(values.size()));  // 0 / 0: not measured
      if (values.size() < 2) continue;
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      if (!(*high - *low > spread_ * *high)) continue;
      spread_ = (*high - *low) / *high;
      most_ = table_.columns[column] + " of " + names_[i] + ": " + core::join(told);
    }
    return result;
  }

  void tell_repeats() const {
    std::size_t networks = 0;
    std::size_t rows = 0;
    for (const auto& its : rows_) {
      if (its.size() == 1) continue;
      ++networks;
      rows += its.size();
    }
    if (networks == 0) return;
    const std::string text = fmt::format(
        "{}: {} network{} in several rows ({}): their means are taken{}", table_.origin, networks,
        networks == 1 ? "" : "s", rows,
        spread_ > 0 ? fmt::format("; they differ by up to {:.3g}% ({})", 100 * spread_, most_)
                    : std::string());
    if (spread_ > kWild)
      core::log_warning(text);
    else
      core::log_info(text);
  }

 private:
  const core::CsvTable& table_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::size_t>> rows_;
  std::map<std::string, std::size_t> places_;
  double spread_ = 0;
  std::string most_;  ///< where it is
};

/// Entry points keep their inputs, whether anything reads them or not.
bool reads_input(const spaces::Graph& graph) {
  const auto is_input = [&](int node) {
    return graph.nodes[static_cast<std::size_t>(node)].op == "input";
  };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const auto& node) {
    return std::any_of(node.inputs.begin(), node.inputs.end(), is_input);
  });
}

}  // namespace

KnownDevices read_known_devices(const std::string& path, std::span<const std::string> select,
                                std::span<const std::string> drop, const NameOf& name) {
  const core::CsvTable table = core::read_csv(path);
  const std::size_t arch = table.column("arch");
  const auto selected = columns_of(table, select);
  const auto dropped = columns_of(table, drop);
  KnownDevices known;
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (c == arch || (!select.empty() && !selected.contains(c)) || dropped.contains(c)) continue;
    if (table.counts_rows(c)) {
      core::log_warning(path + ": column '" + table.columns[c] +
                        "' counts the rows, and is taken for no device");
      continue;
    }
    columns.push_back(c);
    known.devices.push_back(table.columns[c]);
  }
  if (known.devices.size() < 2)
    throw core::UsageError(
        path + " gives " + std::to_string(known.devices.size()) + " known device" +
            (known.devices.size() == 1 ? "" : "s") + ", but at least 2 are needed",
        "every column but 'arch' that is not dropped is a device; its columns: " +
            core::join(table.columns));
  Networks networks(table);
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    networks.add(network_of(table, row, arch, name), row);
  known.archs = networks.names();
  for (const std::size_t column : columns) known.latency.push_back(networks.means(column));
  networks.tell_repeats();
  return known;
}

std::vector<Measured> read_measured(const std::string& path, const NameOf& name) {
  const core::CsvTable table = core::read_csv(path);
  const std::size_t arch = table.column("arch");
  const std::size_t latency = table.column("latency_ms");
  const auto error = table.find("standard_error");
  const auto note = table.find("note");
  std::size_t slow = 0;
  std::vector<Measured> measured;
  Networks networks(table);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (core::is_missing(table.rows[row][latency])) continue;
    Measured one;
    one.arch = network_of(table, row, arch, name);
    one.latency_ms = latency_of(table, row, latency);
    if (error && !core::is_missing(table.rows[row][*error]))
      one.standard_error = table.number(row, *error);
    if (note) slow += table.rows[row][*note].find(core::kDeviceSlow) != std::string::npos;
    networks.add(one.arch, row);
    measured.push_back(std::move(one));
  }
  networks.means(latency);
  networks.tell_repeats();
  if (slow > 0)
    core::log_warning(
        path + ": " + std::to_string(slow) + " of " + std::to_string(measured.size()) +
        " latencies were taken while the device was slow, and are too long: leave those "
        "rows out, and measure them again (mosaic measure JOB --archs LIST --out " +
        path + " --resume measures what the file lacks)");
  return measured;
}

Structure structure_of(const spaces::Space& space, std::span<const std::string> archs) {
  const auto genotypes = core::mapped(archs, [&](const auto& arch) { return space.parse(arch); });
  const FeatureExtractor extract(space);
  Structure structure;
  structure.features.resize(archs.size());
  structure.functions.resize(archs.size());
  std::vector<char> constant(archs.size());  // bits of a vector<bool> share bytes
  core::parallel_for(archs.size(), static_cast<std::size_t>(core::usable_cores()),
                     [&](std::size_t i) {
                       core::check_interrupt();
                       const spaces::Graph graph = space.bind(genotypes[i]);
                       structure.features[i] = extract(genotypes[i]);
                       structure.functions[i] = spaces::function_hash(graph);
                       constant[i] = !reads_input(graph);
                     });
  structure.constant.assign(constant.begin(), constant.end());
  return structure;
}

}  // namespace mosaic::predictors
