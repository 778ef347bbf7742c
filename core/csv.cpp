#include "mosaic/core/csv.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <set>
#include <string_view>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace mosaic::core {

namespace {

std::string place(const std::string& origin, std::int64_t line) {
  return origin + ":" + std::to_string(line) + ": ";
}

/// Reads one record after the other and keeps count of the lines.
class Reader {
 public:
  Reader(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  /// False at the end of the text.
  bool next(std::vector<std::string>& cells) {
    cells.clear();
    if (at_ == text_.size()) return false;
    record_line_ = line_;
    while (true) {
      cells.push_back(text_[at_] == '"' ? quoted() : plain());
      if (at_ == text_.size()) return true;
      const char separator = text_[at_++];
      if (separator != ',') break;
      if (at_ == text_.size()) {  // a comma as the very last character: one more, empty cell
        cells.emplace_back();
        return true;
      }
    }
    ++line_;
    return true;
  }

  /// Where the last record begins.
  std::int64_t line() const { return record_line_; }

 private:
  std::string plain() {
    const auto end = std::min(text_.find_first_of(",\n", at_), text_.size());
    auto cell = text_.substr(at_, end - at_);
    at_ = end;
    if (cell.ends_with('\r') && (end == text_.size() || text_[end] == '\n')) cell.remove_suffix(1);
    return std::string(cell);
  }

  std::string quoted() {
    const std::int64_t begin = line_;
    std::string cell;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c != '"') {
        cell += c;
      } else if (text_.substr(at_ + 1).starts_with('"')) {
        cell += '"';
        ++at_;
      } else {
        ++at_;
        if (text_.substr(at_).starts_with("\r\n") || text_.substr(at_) == "\r") ++at_;
        if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n')
          throw Error(place(origin_, line_) + "text after the closing quote of a cell",
                      "double the quotes (\"\") that belong to the cell");
        return cell;
      }
    }
    throw Error(place(origin_, begin) + "a quoted cell that begins here is never closed",
                "add the closing quote, or get the file again if it is cut off");
  }

  std::string_view text_;
  const std::string& origin_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 1;
};

}  // namespace

std::size_t CsvTable::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found != columns.end()) return static_cast<std::size_t>(found - columns.begin());
  throw UsageError(origin + " has no column '" + name + "'",
                   did_you_mean(name, columns) + "columns: " + join(columns));
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string& cell = rows.at(row).at(column);
  const auto value = parse_number(trim(cell));
  if (value && std::isfinite(*value)) return *value;
  throw Error(place(origin, lines.at(row)) + "column '" + columns.at(column) + "' is '" + cell +
                  "', not a finite number",
              "correct the cell or remove the row");
}

CsvTable parse_csv(const std::string& text, const std::string& origin) {
  CsvTable table;
  table.origin = origin;
  Reader reader(text, origin);
  if (!reader.next(table.columns))
    throw Error(origin + " is empty", "its first line must name the columns");
  std::set<std::string> seen;
  for (const auto& name : table.columns)
    if (!seen.insert(name).second)
      throw Error(place(origin, 1) + "column '" + name + "' appears twice",
                  "give every column a name of its own");

  std::vector<std::string> cells;
  while (reader.next(cells)) {
    // Blank lines at the end are common; in a table of one column they are an empty cell.
    if (table.columns.size() > 1 && cells.size() == 1 && cells[0].empty()) continue;
    if (cells.size() != table.columns.size())
      throw Error(place(origin, reader.line()) + std::to_string(cells.size()) +
                      " cells where the header has " + std::to_string(table.columns.size()),
                  "quote cells that hold commas, or get the file again if it is cut off");
    table.rows.push_back(cells);
    table.lines.push_back(reader.line());
  }
  return table;
}

CsvTable read_csv(const std::string& path) { return parse_csv(read_gzip(path), path); }

void write_csv_row(std::ostream& out, std::span<const std::string> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out << ',';
    // A row of one empty cell would be a blank line, which readers skip.
    const bool lone_empty = cells.size() == 1 && cells[i].empty();
    if (!lone_empty && cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      out << cells[i];
      continue;
    }
    out << '"';
    for (const char c : cells[i]) {
      if (c == '"') out << '"';
      out << c;
    }
    out << '"';
  }
  out << '\n';
}

}  // namespace mosaic::core
