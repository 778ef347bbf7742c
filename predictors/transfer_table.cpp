// Tables of known devices and of measurements, and the structure of their networks.
#include <fnmatch.h>

#include <algorithm>
#include <limits>
#include <set>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/parallel.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/predictors/transfer.hpp"
#include "mosaic/spaces/graph.hpp"

namespace mosaic::predictors {

namespace {

bool matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

bool matches_any(std::span<const std::string> patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return matches(pattern, name); });
}

void check_patterns(const core::CsvTable& table, std::span<const std::string> patterns) {
  for (const auto& pattern : patterns)
    if (std::none_of(table.columns.begin(), table.columns.end(),
                     [&](const auto& column) { return matches(pattern, column); }))
      throw core::UsageError("no column of " + table.origin + " matches '" + pattern + "'",
                             "its columns: " + core::join(table.columns));
}

std::string place(const core::CsvTable& table, std::size_t row) {
  return table.origin + ":" + std::to_string(table.lines[row]) + ": ";
}

/// A cell that must be a positive number of milliseconds.
double latency_of(const core::CsvTable& table, std::size_t row, std::size_t column) {
  const double value = table.number(row, column);
  if (!(value > 0))
    throw core::Error(place(table, row) + "column '" + table.columns[column] + "' is " +
                          table.rows[row][column] + ", but a latency is more than 0 ms",
                      "leave the cell empty where a network was not measured");
  return value;
}

bool is_empty(const core::CsvTable& table, std::size_t row, std::size_t column) {
  return core::trim(table.rows[row][column]).empty();
}

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
                                std::span<const std::string> drop) {
  const core::CsvTable table = core::read_csv(path);
  const std::size_t arch = table.column("arch");
  check_patterns(table, select);
  check_patterns(table, drop);
  KnownDevices known;
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const auto& name = table.columns[c];
    if (c == arch || (!select.empty() && !matches_any(select, name)) || matches_any(drop, name))
      continue;
    columns.push_back(c);
    known.devices.push_back(name);
  }
  if (known.devices.size() < 2)
    throw core::UsageError(
        path + " gives " + std::to_string(known.devices.size()) + " known device" +
            (known.devices.size() == 1 ? "" : "s") + ", but at least 2 are needed",
        "every column but 'arch' that is not dropped is a device; its columns: " +
            core::join(table.columns));
  std::set<std::string> seen;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    known.archs.push_back(table.rows[row][arch]);
    if (!seen.insert(known.archs.back()).second)
      throw core::Error(
          place(table, row) + "the network " + known.archs.back() + " has a row above already",
          "keep one row for each network");
  }
  known.latency.assign(columns.size(), {});
  for (std::size_t d = 0; d < columns.size(); ++d)
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      known.latency[d].push_back(is_empty(table, row, columns[d])
                                     ? std::numeric_limits<double>::quiet_NaN()
                                     : latency_of(table, row, columns[d]));
  return known;
}

std::vector<Measured> read_measured(const std::string& path) {
  const core::CsvTable table = core::read_csv(path);
  const std::size_t arch = table.column("arch");
  const std::size_t latency = table.column("latency_ms");
  const auto found = std::find(table.columns.begin(), table.columns.end(), "standard_error");
  const auto error = static_cast<std::size_t>(found - table.columns.begin());
  std::vector<Measured> measured;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (is_empty(table, row, latency)) continue;
    Measured one;
    one.arch = table.rows[row][arch];
    one.latency_ms = latency_of(table, row, latency);
    if (error < table.columns.size() && !is_empty(table, row, error))
      one.standard_error = table.number(row, error);
    measured.push_back(std::move(one));
  }
  return measured;
}

Structure structure_of(const spaces::Space& space, std::span<const std::string> archs) {
  std::vector<spaces::Genotype> genotypes;
  for (const auto& arch : archs) genotypes.push_back(space.parse(arch));
  const FeatureExtractor extract(space);
  Structure structure;
  structure.features.resize(archs.size());
  structure.functions.resize(archs.size());
  std::vector<char> constant(archs.size());  // bits of a vector<bool> share bytes
  core::parallel_for(archs.size(), static_cast<std::size_t>(core::usable_cores()),
                     [&](std::size_t i) {
                       const spaces::Graph graph = space.bind(genotypes[i]);
                       structure.features[i] = extract(genotypes[i]);
                       structure.functions[i] = spaces::function_hash(graph);
                       constant[i] = !reads_input(graph);
                     });
  structure.constant.assign(constant.begin(), constant.end());
  return structure;
}

}  // namespace mosaic::predictors
