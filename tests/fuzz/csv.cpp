// A table as text: rows are as long as the header, and what is written is read again.
#include <sstream>

#include "mosaic/core/csv.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  const auto table = core::parse_csv(bytes, "table.csv");
  std::ostringstream written;
  core::write_csv_row(written, table.columns);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    expect(table.rows[row].size() == table.columns.size(), "a row is as long as the header");
    core::write_csv_row(written, table.rows[row]);
    for (const auto& cell : table.rows[row]) {
      core::is_missing(cell);
      core::advice_on_number(cell);
    }
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) table.counts_rows(column);
  // Without its quotes a header may look like that of another kind of file, which is refused.
  const auto again = core::parse_csv(written.str(), "again.csv");
  expect(again.columns == table.columns && again.rows == table.rows, "written and read: the same");
}
