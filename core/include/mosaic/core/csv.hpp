/// CSV tables, plain or gzipped, with line numbers kept for messages.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mosaic::core {

/// A table of text cells, all of them UTF-8. RFC 4180: quoted cells may hold commas, quotes ("")
/// and line breaks.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
  std::vector<std::int64_t> lines;             ///< line of each row in the file, from 1
  std::string origin;                          ///< file name for messages

  std::optional<std::size_t> find(const std::string& name) const;  ///< index of a column
  /// Index of a column; an unknown name lists the known ones and suggests the nearest (UsageError).
  std::size_t column(const std::string& name) const;
  /// The columns that `pattern` means: that of this very name, or else those that match it as a
  /// shell pattern ("latency_*"). None: UsageError with the columns' names.
  std::vector<std::size_t> matching(const std::string& pattern) const;
  /// Whether a column numbers the rows: each is one more than the row above, or they are distinct
  /// whole numbers under a name that indices have ("", "Unnamed: 0", "index").
  bool counts_rows(std::size_t column) const;
  /// "t.csv:7: ", of a row.
  std::string place(std::size_t row) const;
  /// A cell as a number; anything else, also NaN, is an Error with file, line and column.
  double number(std::size_t row, std::size_t column) const;
};

/// Whether a cell says that there is no value: empty, nan, none, null, na, n/a or a dash.
bool is_missing(std::string_view cell);
/// How to write what was meant for a number ("1.15 ms", "2,5"); empty for numbers and other text.
std::string advice_on_number(std::string_view cell);

/// Reads `path` (.gz is decompressed). Throws Error for a missing or truncated file, with the line
/// number for a row whose number of cells differs from the header's and for text that is not UTF-8,
/// and says what else a file is that is no CSV: UTF-16, separated by semicolons, a spreadsheet.
CsvTable read_csv(const std::string& path);
CsvTable parse_csv(const std::string& text, const std::string& origin);

/// Writes one row, quoting where needed.
void write_csv_row(std::ostream& out, std::span<const std::string> cells);

}  // namespace mosaic::core
