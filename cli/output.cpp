#include "output.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::cli {
namespace {

using nlohmann::json;
using Cell = db::Table::Cell;
using Type = db::Table::Type;

bool is_number(const Cell& cell) { return cell.type == Type::integer || cell.type == Type::real; }

json json_of(const Cell& cell) {
  if (cell.type == Type::null) return nullptr;
  if (!is_number(cell)) return cell.text;
  const json parsed = json::parse(cell.text, nullptr, false);
  return parsed.is_number() ? parsed : json(nullptr);  // inf and nan are no JSON
}

/// Characters on a terminal: UTF-8 continuation bytes take no place.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

json metrics_json(const db::Network& network) {
  json metrics = json::object();
  for (const auto& [name, measurement] : network.metrics) metrics[name] = measurement.value;
  return metrics;
}

/// Per metric that was predicted: the mean, or the standard deviation.
json predicted_json(const db::Network& network, double db::Network::Predicted::*part) {
  json predicted = json::object();
  for (const auto& [name, value] : network.predicted) predicted[name] = value.*part;
  return predicted;
}

/// Heading and text of a metric in a table.
struct Style {
  std::string heading;
  double scale;
  const char* format;
};
Style style_of(const std::string& metric) {
  if (metric == "accuracy") return {"accuracy %", 1, "%.2f"};
  if (metric == "latency_ms") return {"latency ms", 1, "%.3f"};
  if (metric == "params") return {"params K", 1e-3, "%.1f"};
  if (metric == "flops") return {"FLOPs M", 1e-6, "%.2f"};
  if (metric == "activation_bytes") return {"activations KiB", 1.0 / 1024, "%.0f"};
  return {metric, 1, "%.6g"};
}

}  // namespace

Cell text_cell(const std::string& text) { return {Type::text, text}; }
Cell null_cell() { return {Type::null, ""}; }
Cell number_cell(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return {Type::real, text};
}

std::string table_text(const db::Table& table) {
  std::vector<std::size_t> widths;
  for (const auto& column : table.columns) widths.push_back(width_of(column));
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i].text));
  std::ostringstream text;
  const auto put = [&](const std::string& cell, std::size_t column, bool right) {
    const std::string padding(widths[column] - width_of(cell), ' ');
    if (column > 0) text << "  ";
    text << (right ? padding + cell : column + 1 == widths.size() ? cell : cell + padding);
  };
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const bool right = !table.rows.empty() &&
                       std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
                         return is_number(row[i]) || row[i].type == Type::null;
                       });
    put(table.columns[i], i, right);
  }
  text << "\n";
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      put(row[i].text, i, is_number(row[i]) || row[i].type == Type::null);
    text << "\n";
  }
  return text.str();
}

void print_table(const db::Table& table, const OutputOptions& options) {
  if (options.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const auto& row : table.rows) {
      nlohmann::ordered_json object;
      for (std::size_t i = 0; i < row.size(); ++i) object[table.columns[i]] = json_of(row[i]);
      rows.push_back(object);
    }
    std::cout << rows.dump(1) << "\n";
  } else if (options.csv) {
    core::write_csv_row(std::cout, table.columns);
    for (const auto& row : table.rows) {
      std::vector<std::string> cells;
      for (const auto& cell : row) cells.push_back(cell.text);
      core::write_csv_row(std::cout, cells);
    }
  } else {
    std::cout << table_text(table);
  }
}

void print_networks(const std::vector<db::Network>& networks, const db::Job& job,
                    const OutputOptions& options, bool wide) {
  if (options.json) {
    json result = json::array();
    for (const auto& network : networks)
      result.push_back(
          {{"arch", network.arch},
           {"hash", network.hash},
           {"evaluation", network.evaluation ? json(*network.evaluation) : json(nullptr)},
           {"metrics", metrics_json(network)},
           {"predicted", predicted_json(network, &db::Network::Predicted::mean)},
           {"deviation", predicted_json(network, &db::Network::Predicted::deviation)}});
    std::cout << result.dump(1) << "\n";
    return;
  }
  // Objectives first, then whatever else was measured.
  std::vector<std::string> metrics;
  for (const auto& objective : job.objectives) metrics.push_back(objective.metric);
  std::set<std::string> others;
  std::set<std::string> predicted;
  for (const auto& network : networks) {
    for (const auto& [name, value] : network.metrics) others.insert(name);
    for (const auto& [name, value] : network.predicted) predicted.insert(name);
  }
  others.erase("latency_reference_ms");
  for (const auto& name : {"params", "flops"})
    if (others.count(name) && std::find(metrics.begin(), metrics.end(), name) == metrics.end())
      metrics.emplace_back(name);
  for (const auto& name : others)
    if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);

  db::Table table;
  table.columns = {"evaluation"};
  for (const auto& metric : metrics) {
    const std::string heading = options.csv ? metric : style_of(metric).heading;
    if (predicted.count(metric))
      table.columns.push_back((options.csv ? "predicted_" : "predicted ") + heading);
    table.columns.push_back(predicted.count(metric) && !options.csv ? "measured " + heading
                                                                    : heading);
  }
  table.columns.emplace_back("hash");
  if (wide || options.csv) table.columns.emplace_back("arch");
  for (const auto& network : networks) {
    std::vector<Cell> row;
    row.push_back(network.evaluation ? number_cell(static_cast<double>(*network.evaluation), "%.0f")
                                     : null_cell());
    for (const auto& metric : metrics) {
      const Style style = options.csv ? Style{metric, 1, "%.10g"} : style_of(metric);
      if (predicted.count(metric)) {
        const auto found = network.predicted.find(metric);
        row.push_back(found == network.predicted.end()
                          ? null_cell()
                          : number_cell(style.scale * found->second.mean, style.format));
      }
      const auto found = network.metrics.find(metric);
      row.push_back(found == network.metrics.end()
                        ? null_cell()
                        : number_cell(style.scale * found->second.value, style.format));
    }
    row.push_back(text_cell(network.hash));
    if (wide || options.csv) row.push_back(text_cell(network.arch));
    table.rows.push_back(std::move(row));
  }
  print_table(table, options);
}

}  // namespace mosaic::cli
