#include "text/text_files.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {
namespace {

/// What nobody writes as one sentence: a whole document, or a file without line ends.
constexpr std::size_t kLongestLine = 64 * 1024;

template <class Take>
void for_each_line(const std::string& path, const std::string& text, const Take& take) {
  if (text.empty()) throw core::Error(path + " is empty", "give a file with a sentence a line");
  std::string_view rest = text;
  if (rest.starts_with("\xFF\xFE") || rest.starts_with("\xFE\xFF"))
    throw core::Error(path + " is UTF-16 (its first bytes say so), and Mosaic reads UTF-8",
                      "convert it: iconv -f UTF-16 -t UTF-8");
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > kLongestLine)
      throw core::Error(message("{}:{}: a line of {} characters is no sentence", path, number,
                                core::with_commas(static_cast<std::int64_t>(line.size()))),
                        "write a sentence a line");
    if (!core::is_utf8(line))
      throw core::Error(message("{}:{}: the text is not UTF-8", path, number),
                        "convert it: iconv -f LATIN1 -t UTF-8 (if it is Latin-1)");
    if (line.find('\0') != std::string_view::npos)
      throw core::Error(
          message("{}:{}: a zero byte: the file is damaged, or no text", path, number),
          "get the file again");
    take(line, number);
  }
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (std::size_t begin = 0;;) {
    const auto end = std::min(line.find('\t', begin), line.size());
    cells.emplace_back(line.substr(begin, end - begin));
    if (end == line.size()) return cells;
    begin = end + 1;
  }
}

core::CsvTable read_tsv(const std::string& path) {
  core::CsvTable table;
  table.origin = path;
  for_each_line(path, core::read_gzip(path), [&](std::string_view line, std::int64_t number) {
    auto cells = cells_of(line);
    if (table.columns.empty()) {
      table.columns = std::move(cells);
      for (const auto& name : table.columns)
        if (std::count(table.columns.begin(), table.columns.end(), name) > 1)
          throw core::Error(message("{}:1: column '{}' appears twice", path, core::printable(name)),
                            "give every column a name of its own");
      return;
    }
    if (line.empty()) return;
    if (cells.size() != table.columns.size())
      throw core::Error(message("{}:{}: {} cells, and the header has {}", path, number,
                                cells.size(), table.columns.size()),
                        "separate cells by one tab; there can be none inside of a cell");
    table.rows.push_back(std::move(cells));
    table.lines.push_back(number);
  });
  return table;
}

}  // namespace

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  for_each_line(path, core::read_gzip(path),
                [&](std::string_view line, std::int64_t) { lines.emplace_back(line); });
  return lines;
}

core::CsvTable read_table(const std::string& path) {
  const bool tabs = path.ends_with(".tsv") || path.ends_with(".tsv.gz");
  auto table = tabs ? read_tsv(path) : core::read_csv(path);
  if (table.rows.empty())
    throw core::Error(path + " has no rows below its header", "give labelled sentences");
  return table;
}

std::string find_table(const std::string& folder, const std::string& name) {
  std::vector<std::string> found;
  for (const char* ending : {".tsv", ".tsv.gz", ".csv", ".csv.gz"}) {
    const auto path = (std::filesystem::path(folder) / (name + ending)).string();
    if (std::filesystem::exists(path)) found.push_back(path);
  }
  if (found.size() > 1)
    throw core::Error("which of them is meant: " + core::join(found) + "?",
                      "leave one of them in the folder");
  return found.empty() ? std::string() : found[0];
}

}  // namespace mosaic::tasks
