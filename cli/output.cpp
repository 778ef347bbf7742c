#include "output.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/jobs/selection.hpp"

namespace mosaic::cli {
namespace {

using nlohmann::json;
using Cell = db::Table::Cell;
using Type = db::Table::Type;

bool is_number(const Cell& cell) { return cell.type == Type::integer || cell.type == Type::real; }

json json_of(const Cell& cell) {
  if (cell.type == Type::null) return nullptr;
  if (!is_number(cell)) return core::as_utf8(cell.text);
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

/// Heading and number format of a metric in a table for people.
struct Style {
  std::string heading;
  double scale = 1;
  int decimals = 0;

  Cell cell(double value) const {
    char text[400];
    if (decimals < 0)
      std::snprintf(text, sizeof text, "%.4g", scale * value);
    else
      std::snprintf(text, sizeof text, "%.*f", decimals, scale * value);
    return {Type::real, text};
  }
};

/// Four digits of the least value of a column, at least, and three of the difference between its
/// least and its greatest; whole numbers stay whole.
void set_decimals(Style& style, const std::vector<double>& values) {
  double least = std::numeric_limits<double>::infinity();  // magnitudes
  double greatest = 0;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  bool whole = true;
  for (const double value : values) {
    const double shown = style.scale * value;
    if (!std::isfinite(shown)) continue;
    low = std::min(low, shown);
    high = std::max(high, shown);
    whole = whole && shown == std::floor(shown);
    if (shown == 0) continue;
    least = std::min(least, std::abs(shown));
    greatest = std::max(greatest, std::abs(shown));
  }
  const auto decimals = [](double value, int digits) {
    return digits - 1 - static_cast<int>(std::floor(std::log10(value)));
  };
  if (greatest >= 1e15 || least < 1e-6 || (greatest > 0 && greatest / least > 1e7))
    style.decimals = -1;
  else if (greatest > 0 && !whole)
    style.decimals =
        std::clamp(std::max(decimals(least, 4), high > low ? decimals(high - low, 3) : 0), 1, 9);
}

Style style_of(const std::string& metric, const std::vector<db::Network>& networks) {
  std::string unit;
  std::vector<double> values;
  for (const auto& network : networks) {
    if (const auto found = network.metrics.find(metric); found != network.metrics.end()) {
      unit = found->second.unit;
      values.push_back(found->second.value);
    }
    if (const auto found = network.predicted.find(metric); found != network.predicted.end())
      values.push_back(found->second.mean);
  }
  Style style{metric};
  const bool large = !values.empty() && std::all_of(values.begin(), values.end(),
                                                    [](double value) { return value >= 100; });
  if (metric == "params" && !unit.empty() && large)
    style = {"params K", 1e-3};
  else if (metric == "flops" && !unit.empty() && large)
    style = {"FLOPs M", 1e-6};
  else if (metric == "activation_bytes" && large)
    style = {"activations KiB", 1.0 / 1024};
  else if (metric == "latency_ms")
    style = {"latency ms"};
  else if (unit == "%")
    style = {metric + " %"};
  set_decimals(style, values);
  return style;
}

/// The names of columns, each made one of its own.
std::vector<std::string> distinct(std::vector<std::string> names) {
  std::set<std::string> taken(names.begin(), names.end());
  std::set<std::string> seen;
  for (auto& name : names) {
    if (seen.insert(name).second) continue;
    int number = 2;
    while (taken.contains(name + "_" + std::to_string(number))) ++number;
    name += "_" + std::to_string(number);
    taken.insert(name);
    seen.insert(name);
  }
  return names;
}

/// Digits behind the point of a number as it is written; many where it has an exponent.
int decimals_of(const std::string& text) {
  if (text.find('e') != std::string::npos) return 99;
  const auto point = text.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
}

/// For people: a column of numbers that are given with more digits than its values and their spread
/// justify is rounded.
db::Table rounded(db::Table table) {
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    Style style{table.columns[column]};
    std::vector<double> values;
    int most = 0;
    for (const auto& row : table.rows)
      if (const auto value = core::parse_number(row[column].text);
          value && row[column].type == Type::real) {
        values.push_back(*value);
        most = std::max(most, decimals_of(row[column].text));
      }
    set_decimals(style, values);
    if (style.decimals >= 0 && most <= style.decimals) continue;
    for (auto& row : table.rows)
      if (const auto value = core::parse_number(row[column].text);
          value && std::isfinite(*value) && row[column].type == Type::real)
        row[column] = style.cell(*value);
  }
  return table;
}

}  // namespace

std::string value_text(double value, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, unit == "%" ? "%.2f%%" : "%.4g", value);
  return text + (unit.empty() || unit == "%" ? "" : " " + unit);
}

Cell text_cell(const std::string& text) { return {Type::text, text}; }
Cell null_cell() { return {Type::null, ""}; }
Cell number_cell(double value) { return {Type::real, core::format_double(value)}; }
Cell number_cell(double value, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return {Type::real, text};
}

std::string table_text(const db::Table& given) {
  db::Table table = given;
  for (auto& column : table.columns) column = core::printable(column);
  for (auto& row : table.rows)
    for (auto& cell : row) cell.text = core::printable(cell.text);
  auto widths = core::mapped(table.columns, width_of);
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

void print_table(const db::Table& given, const OutputOptions& options) {
  db::Table table = given;
  table.columns = distinct(std::move(table.columns));
  if (options.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const auto& row : table.rows) {
      nlohmann::ordered_json object;
      for (std::size_t i = 0; i < row.size(); ++i)
        object[core::as_utf8(table.columns[i])] = json_of(row[i]);
      rows.push_back(object);
    }
    std::cout << rows.dump(1) << "\n";
  } else if (options.csv) {
    core::write_csv_row(std::cout, table.columns);
    for (const auto& row : table.rows)
      core::write_csv_row(std::cout, core::mapped(row, &Cell::text));
  } else {
    std::cout << table_text(rounded(std::move(table)));
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
           {"deviation", predicted_json(network, &db::Network::Predicted::deviation)},
           {"note", jobs::note_of(network)}});
    std::cout << result.dump(1, ' ', false, json::error_handler_t::replace) << "\n";
    return;
  }
  // Objectives first, then whatever else was measured.
  auto metrics = core::mapped(job.objectives, &db::Objective::metric);
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

  std::map<std::string, Style> styles;
  for (const auto& metric : metrics) styles[metric] = style_of(metric, networks);
  const bool noted = std::any_of(networks.begin(), networks.end(), [](const auto& network) {
    return !jobs::note_of(network).empty();
  });
  db::Table table;
  table.columns = {"evaluation"};
  for (const auto& metric : metrics) {
    const std::string heading = options.csv ? metric : styles[metric].heading;
    if (predicted.count(metric))
      table.columns.push_back((options.csv ? "predicted_" : "predicted ") + heading);
    table.columns.push_back(predicted.count(metric) && !options.csv ? "measured " + heading
                                                                    : heading);
  }
  table.columns.emplace_back("hash");
  if (wide || options.csv) table.columns.emplace_back("arch");
  if (noted) table.columns.emplace_back("note");
  for (const auto& network : networks) {
    std::vector<Cell> row;
    row.push_back(network.evaluation ? count_cell(*network.evaluation) : null_cell());
    for (const auto& metric : metrics) {
      const auto cell = [&](double value) {
        return options.csv ? number_cell(value) : styles[metric].cell(value);
      };
      if (predicted.count(metric)) {
        const auto found = network.predicted.find(metric);
        row.push_back(found == network.predicted.end() ? null_cell() : cell(found->second.mean));
      }
      const auto found = network.metrics.find(metric);
      row.push_back(found == network.metrics.end() ? null_cell() : cell(found->second.value));
    }
    row.push_back(text_cell(network.hash));
    if (wide || options.csv) row.push_back(text_cell(network.arch));
    if (noted) row.push_back(text_cell(jobs::note_of(network)));
    table.rows.push_back(std::move(row));
  }
  if (options.csv)
    print_table(table, options);
  else
    std::cout << table_text(table);  // predicted and measured values have the same digits
}

}  // namespace mosaic::cli
