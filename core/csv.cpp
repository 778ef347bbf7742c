#include "mosaic/core/csv.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <ostream>
#include <set>
#include <string_view>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace mosaic::core {

namespace {

std::string place_of(const std::string& origin, std::int64_t line) {
  return origin + ":" + std::to_string(line) + ": ";
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A filter that makes of the file what Mosaic reads, as a shell runs it.
std::string convert(const std::string& origin, const std::string& filter) {
  if (origin.ends_with(".gz")) return "convert it: zcat " + origin + " | " + filter + " > new.csv";
  return "convert it: " + filter + " < " + origin + " > new.csv";
}

/// Files that have the name of a table, and are something else.
void check_kind(std::string_view text, const std::string& origin) {
  const auto begins = [&](std::string_view with) { return text.starts_with(with); };
  if (begins("PK\x03\x04"))
    throw Error(origin + " is a spreadsheet or another zip file, no CSV",
                "export it as CSV, with commas");
  if (begins("version https://git-lfs"))
    throw Error(origin + " is a pointer of git-lfs, not the table", "fetch it: git lfs pull");
  if (begins("<!DOCTYPE") || begins("<html"))
    throw Error(origin + " is a web page, no CSV", "download the file itself");
  using namespace std::string_view_literals;
  if (begins("\xFF\xFE"sv) || begins("\xFE\xFF"sv))
    throw Error(origin + " is UTF-16 (its first bytes say so), and Mosaic reads UTF-8",
                convert(origin, "iconv -f UTF-16 -t UTF-8"));
  const auto zero = text.find('\0');
  if (zero == std::string_view::npos) return;
  if (zero < 2)
    throw Error(
        origin + " has a zero in every second byte, as UTF-16 has; Mosaic reads UTF-8",
        convert(origin, std::string("iconv -f UTF-16") + (zero == 1 ? "LE" : "BE") + " -t UTF-8"));
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
  throw Error(place_of(origin, line) + "a zero byte: the file is damaged, or no text",
              "get the file again");
}

/// Tables whose lines or cells end otherwise than Mosaic's.
void check_separators(std::string_view text, const std::string& origin) {
  const auto header = text.substr(0, text.find('\n'));
  if (header.find('"') != std::string_view::npos) return;  // quoted: meant as it is
  const auto end = header.find('\r');
  if (end != std::string_view::npos && end + 1 < header.size())
    throw Error(origin + " ends its lines with CR alone, and Mosaic reads LF or CR LF",
                convert(origin, R"(tr '\r' '\n')"));
  if (header.find(',') != std::string_view::npos) return;
  const bool tabs = header.find('\t') != std::string_view::npos;
  if (!tabs && header.find(';') == std::string_view::npos) return;
  const std::string separator = tabs ? "\\t" : ";";
  throw Error(place_of(origin, 1) + "the header is one column, '" + printable(trim(header)) +
                  "': separated by " + (tabs ? "tabs" : "semicolons") + "? Mosaic reads commas",
              convert(origin,
                      "python3 -c 'import csv, sys; csv.writer(sys.stdout).writerows(csv.reader("
                      "sys.stdin, delimiter=\"" +
                          separator + "\"))'") +
                  (tabs ? "" : " (and write decimals behind a point)"));
}

/// Cells of text that is not UTF-8 all through.
void check_utf8(const std::vector<std::string>& cells, const std::vector<std::string>* columns,
                const std::string& origin, std::int64_t line) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (is_utf8(cells[i])) continue;
    const std::string what = columns && i < columns->size()
                                 ? "column '" + (*columns)[i] + "'"
                                 : "the name of column " + std::to_string(i + 1);
    throw Error(
        place_of(origin, line) + what + " is '" + printable(cells[i]) + "', which is not UTF-8",
        convert(origin, "iconv -f LATIN1 -t UTF-8") + " (if it is Latin-1)");
  }
}

void check_names(const std::vector<std::string>& columns, const std::string& origin) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto [first, is_new] = places.emplace(columns[i], i);
    if (!is_new)
      throw Error(place_of(origin, 1) + "column '" + columns[i] + "' appears twice, as number " +
                      std::to_string(first->second + 1) + " and " + std::to_string(i + 1),
                  "give every column a name of its own");
  }
}

constexpr auto kUnits = std::to_array<std::string_view>(
    {"ns",    "us",     "\u00b5s", "\u03bcs", "ms",     "msec",    "s",  "sec", "seconds",
     "min",   "h",      "%",       "J",       "mJ",     "uJ",      "kJ", "W",   "mW",
     "kW",    "Hz",     "MHz",     "GHz",     "B",      "kB",      "KB", "MB",  "GB",
     "KiB",   "MiB",    "GiB",     "k",       "K",      "M",       "G",  "fps", "FPS",
     "FLOPs", "MFLOPs", "GFLOPs",  "MACs",    "params", "ms/image"});

/// Reads one record after the other and keeps count of the lines.
class Reader {
 public:
  Reader(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {
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
          throw Error(place_of(origin_, line_) + "text after the closing quote of a cell",
                      "double the quotes (\"\") that belong to the cell");
        return cell;
      }
    }
    throw Error(place_of(origin_, begin) + "a quoted cell that begins here is never closed",
                "add the closing quote, or get the file again if it is cut off");
  }

  std::string_view text_;
  const std::string& origin_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 1;
};

}  // namespace

std::optional<std::size_t> CsvTable::find(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::size_t CsvTable::column(const std::string& name) const {
  if (const auto found = find(name)) return *found;
  throw UsageError(origin + " has no column '" + name + "'",
                   did_you_mean(name, columns) + "columns: " + join(columns));
}

std::vector<std::size_t> CsvTable::matching(const std::string& pattern) const {
  std::vector<std::size_t> result;
  if (const auto exact = find(pattern)) return {*exact};
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (fnmatch(pattern.c_str(), columns[i].c_str(), 0) == 0) result.push_back(i);
  if (result.empty())
    throw UsageError("no column of " + origin + " matches '" + pattern + "'",
                     did_you_mean(pattern, columns) + "its columns: " + join(columns));
  return result;
}

bool CsvTable::counts_rows(std::size_t column) const {
  constexpr std::size_t kFewest = 5;  // fewer may follow each other by chance
  const std::string name = lower(trim(columns.at(column)));
  const bool named = name.empty() || name.starts_with("unnamed: ") || name == "index" ||
                     name == "idx" || name == "level_0";
  std::set<double> seen;
  bool counted = rows.size() >= kFewest;
  double above = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto value = parse_number(trim(rows[row][column]));
    if (!value || *value != std::floor(*value) || !seen.insert(*value).second) return false;
    counted = counted && (row == 0 || *value == above + 1);
    above = *value;
  }
  return counted || (named && rows.size() > 1);
}

std::string CsvTable::place(std::size_t row) const { return place_of(origin, lines.at(row)); }

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string& cell = rows.at(row).at(column);
  if (const auto value = parse_number(trim(cell))) return *value;
  const std::string advice = advice_on_number(cell);
  throw Error(place(row) + "column '" + columns.at(column) + "' is '" + printable(cell) +
                  "', not a finite number",
              advice.empty() ? "correct the cell or remove the row" : advice);
}

bool is_missing(std::string_view cell) {
  const std::string text = lower(trim(cell));
  constexpr std::array kWords{"", "nan", "none", "null", "na", "n/a", "-"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

std::string advice_on_number(std::string_view cell) {
  const auto text = trim(cell);
  if (parse_number(text)) return {};
  std::string point(text);
  const auto commas = std::count(point.begin(), point.end(), ',');
  const std::string without = [&] {
    std::string all(text);
    std::erase(all, ',');
    return all;
  }();
  if (commas > 0 && without.find_first_not_of("+-.0123456789eE") == std::string::npos &&
      parse_number(without)) {
    std::replace(point.begin(), point.end(), ',', '.');
    if (!parse_number(point)) return "write " + without + ": commas do not group digits";
    const bool thousands = text.size() - text.find(',') == 4;
    return "write " + point + ": decimals stand behind a point" +
           (thousands ? " (or " + without + ", if the comma groups thousands)" : "");
  }
  for (const auto unit : kUnits) {
    if (!text.ends_with(unit)) continue;
    const std::string number(trim(text.substr(0, text.size() - unit.size())));
    if (parse_number(number))
      return "write " + number + ", without the unit '" + std::string(unit) +
             "': the column's name can say it";
  }
  return {};
}

CsvTable parse_csv(const std::string& text, const std::string& origin) {
  check_kind(text, origin);
  check_separators(text, origin);
  const bool utf8 = is_utf8(text);
  CsvTable table;
  table.origin = origin;
  Reader reader(text, origin);
  if (!reader.next(table.columns))
    throw Error(origin + " is empty", "its first line must name the columns");
  if (!utf8) check_utf8(table.columns, nullptr, origin, 1);
  check_names(table.columns, origin);

  std::vector<std::string> cells;
  while (reader.next(cells)) {
    // Blank lines at the end are common; in a table of one column they are an empty cell.
    if (table.columns.size() > 1 && cells.size() == 1 && cells[0].empty()) continue;
    if (!utf8) check_utf8(cells, &table.columns, origin, reader.line());
    if (cells.size() != table.columns.size())
      throw Error(place_of(origin, reader.line()) + std::to_string(cells.size()) +
                      " cells where the header has " + std::to_string(table.columns.size()),
                  cells.size() > table.columns.size()
                      ? "quote cells that hold commas, and write decimals behind a point"
                      : "quote cells that hold commas, or get the file again if it is cut off");
    table.rows.push_back(cells);
    table.lines.push_back(reader.line());
  }
  return table;
}

CsvTable read_csv(const std::string& path) { return parse_csv(read_gzip(path), path); }

void write_csv_row(std::ostream& out, std::span<const std::string> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out << ',';
    // A row of one empty cell would be a blank line, which readers skip; they skip the mark, too.
    const bool lost =
        (cells.size() == 1 && cells[i].empty()) || (i == 0 && cells[i].starts_with(kByteOrderMark));
    if (!lost && cells[i].find_first_of(",\"\r\n") == std::string::npos) {
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
