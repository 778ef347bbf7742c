/// Tables on standard output: aligned text, CSV or JSON.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::cli {

/// Aligned text, as print_table shows it by default: text cells flush left, numbers flush right.
std::string table_text(const db::Table& table);

/// Prints a result as the options say. Of columns with one name the second is called NAME_2, and so
/// on. Text rounds a column of numbers to four digits, or to what tells its values apart, and
/// escapes control characters; CSV and JSON keep them, but for bytes that are no UTF-8, which JSON
/// cannot hold.
void print_table(const db::Table& table, const OutputOptions& options);

/// "91.32%", "0.3123 nats".
std::string value_text(double value, const std::string& unit);

db::Table::Cell text_cell(const std::string& text);
/// All digits: print_table() rounds for people.
db::Table::Cell number_cell(double value);
/// The digits are the caller's choice, for programs as well.
db::Table::Cell number_cell(double value, const char* format);
inline db::Table::Cell count_cell(auto count) {
  return number_cell(static_cast<double>(count), "%.0f");
}
db::Table::Cell null_cell();

/// A front: one row a network, measured and predicted values side by side. JSON: one object a
/// network with `arch`, `hash`, `evaluation`, `metrics` (measured), `predicted`, `deviation` (of
/// the prediction) and `note`. Text and CSV have a column `note` where some network has one.
void print_networks(const std::vector<db::Network>& networks, const db::Job& job,
                    const OutputOptions& options, bool wide);

}  // namespace mosaic::cli
