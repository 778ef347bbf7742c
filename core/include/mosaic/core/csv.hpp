/// CSV tables, plain or gzipped, with line numbers kept for messages.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace mosaic::core {

/// A table of text cells. RFC 4180: quoted cells may hold commas, quotes ("") and line breaks.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
  std::vector<std::int64_t> lines;             ///< line of each row in the file, from 1
  std::string origin;                          ///< file name for messages

  /// Index of a column; an unknown name lists the known ones and suggests the nearest (UsageError).
  std::size_t column(const std::string& name) const;
  /// A cell as a number; anything else, also NaN, is an Error with file, line and column.
  double number(std::size_t row, std::size_t column) const;
};

/// Reads `path` (.gz is decompressed). Throws Error for a missing or truncated file, and with the
/// line number for a row whose number of cells differs from the header's.
CsvTable read_csv(const std::string& path);
CsvTable parse_csv(const std::string& text, const std::string& origin);

/// Writes one row, quoting where needed.
void write_csv_row(std::ostream& out, std::span<const std::string> cells);

}  // namespace mosaic::core
