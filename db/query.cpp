// Plain SQL of a user, read-only by four independent means: the file is opened read-only, an
// authorizer refuses everything but reading, SQLite must call the statement read-only, and there
// may be only one.

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string_view>

#include "impl.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"
#include "open.hpp"

namespace mosaic::db {
namespace {

constexpr const char* kAdvice =
    "give one SELECT (or EXPLAIN, or a read-only PRAGMA such as table_info); what there is to ask "
    "for "
    "is in docs/database.md";

/// What a result may take in memory: enough for every cell of a million measurements.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;
/// One value of a row or a string function.
constexpr int kLongestValue = 100'000'000;

/// Pragmas that only tell.
bool tells_only(std::string_view name, bool with_value) {
  constexpr std::array plain = {
      "application_id", "user_version",  "page_count",      "page_size",     "freelist_count",
      "encoding",       "database_list", "compile_options", "function_list", "collation_list",
      "pragma_list",    "data_version",  "schema_version",  "table_list"};
  constexpr std::array either = {"table_info",        "table_xinfo",     "index_list",
                                 "index_info",        "index_xinfo",     "foreign_key_list",
                                 "foreign_key_check", "integrity_check", "quick_check"};
  const auto among = [&](const auto& names) {
    return std::any_of(names.begin(), names.end(), [&](const char* known) {
      return sqlite3_stricmp(known, std::string(name).c_str()) == 0;
    });
  };
  return among(either) || (!with_value && among(plain));
}

const char* action_name(int action) {
  static const std::map<int, const char*> kNames{{SQLITE_INSERT, "INSERT"},
                                                 {SQLITE_UPDATE, "UPDATE"},
                                                 {SQLITE_DELETE, "DELETE"},
                                                 {SQLITE_ATTACH, "ATTACH"},
                                                 {SQLITE_DETACH, "DETACH"},
                                                 {SQLITE_PRAGMA, "PRAGMA"},
                                                 {SQLITE_TRANSACTION, "a transaction"},
                                                 {SQLITE_SAVEPOINT, "a transaction"},
                                                 {SQLITE_FUNCTION, "the function"},
                                                 {SQLITE_DROP_TABLE, "DROP"},
                                                 {SQLITE_DROP_VIEW, "DROP"},
                                                 {SQLITE_DROP_INDEX, "DROP"}};
  const auto found = kNames.find(action);
  return found == kNames.end() ? "a statement that changes something" : found->second;
}

/// Remembers what it refused first. The arguments are SQLite's: see sqlite3_set_authorizer.
int authorize(void* refused, int action, const char* first, const char* second, const char*,
              const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      if (second != nullptr && sqlite3_stricmp(second, "load_extension") != 0) return SQLITE_OK;
      first = second;
      break;
    case SQLITE_PRAGMA:
      if (tells_only(first, second != nullptr)) return SQLITE_OK;
      break;
    case SQLITE_UPDATE:
      // SQLite asks so when it declares a table-valued function (json_each, pragma_table_info); a
      // user's own UPDATE of it fails by the other means.
      if (first != nullptr && std::string_view(first) == "sqlite_master") return SQLITE_OK;
      break;
    default:
      break;
  }
  auto& what = *static_cast<std::string*>(refused);
  if (what.empty()) {
    what = action_name(action);
    const bool named = action == SQLITE_PRAGMA || action == SQLITE_FUNCTION;
    if (named && first != nullptr) what += std::string(" ") + first;
  }
  return SQLITE_DENY;
}

struct Prepared {
  sqlite3_stmt* handle = nullptr;
  ~Prepared() { sqlite3_finalize(handle); }
};

/// True if nothing but white space and comments follows.
bool ends_here(sqlite3* database, const char* tail) {
  while (*tail != '\0') {
    Prepared next;
    const char* rest = nullptr;
    if (sqlite3_prepare_v2(database, tail, -1, &next.handle, &rest) != SQLITE_OK) return false;
    if (next.handle != nullptr) return false;
    tail = rest;
  }
  return true;
}

std::string hexadecimal(const void* data, int size) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "x'";
  for (int i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(data)[i];
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text + "'";
}

}  // namespace

Table::Cell read_cell(sqlite3_stmt* row, int column) {
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return {Table::Type::integer, std::to_string(sqlite3_column_int64(row, column))};
    case SQLITE_FLOAT:
      return {Table::Type::real, core::format_double(sqlite3_column_double(row, column))};
    case SQLITE_BLOB: {
      const void* data = sqlite3_column_blob(row, column);
      return {Table::Type::text, hexadecimal(data, sqlite3_column_bytes(row, column))};
    }
    default: {
      const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
      return {Table::Type::text,
              std::string(data == nullptr ? "" : data, data == nullptr ? 0 : size)};
    }
  }
}

Table Reader::query(const std::string& sql) const {
  const auto connection = open_reader(impl_->path);
  sqlite3* database = connection->handle();
  std::string refused;
  sqlite3_set_authorizer(database, authorize, &refused);
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, kLongestValue);
  sqlite3_progress_handler(
      database, 100'000, [](void*) { return core::interrupted() ? 1 : 0; }, nullptr);

  const std::string_view trimmed = core::trim(sql);
  if (sql.find('\0') != std::string::npos)
    throw core::UsageError("the query holds a zero byte", kAdvice);
  Prepared statement;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v2(database, sql.c_str(), -1, &statement.handle, &tail);
  if (!refused.empty())
    throw core::UsageError("a query may only read, and this one asks for " + refused, kAdvice);
  if (code == SQLITE_ERROR)
    throw core::UsageError(std::string("the query is not valid SQL: ") + sqlite3_errmsg(database) +
                               " (in: " + std::string(trimmed) + ")",
                           "the tables and views are in docs/database.md");
  connection->check(code);
  if (statement.handle == nullptr) throw core::UsageError("the query is empty", kAdvice);
  if (!ends_here(database, tail))
    throw core::UsageError("a query is one statement, and something follows the first one",
                           kAdvice);
  if (sqlite3_stmt_readonly(statement.handle) == 0)
    throw core::UsageError("a query may only read, and this one writes", kAdvice);

  Table table;
  const int width = sqlite3_column_count(statement.handle);
  for (int i = 0; i < width; ++i)
    table.columns.emplace_back(sqlite3_column_name(statement.handle, i));
  std::size_t bytes = 0;
  for (;;) {
    const int result = sqlite3_step(statement.handle);
    if (result == SQLITE_DONE) return table;
    if (result == SQLITE_ERROR || result == SQLITE_TOOBIG)
      throw core::UsageError(std::string("the query failed: ") + sqlite3_errmsg(database),
                             "the tables and views are in docs/database.md");
    if (result != SQLITE_ROW) connection->check(result);
    auto& row = table.rows.emplace_back();
    row.reserve(static_cast<std::size_t>(width));
    bytes += sizeof row;
    for (int i = 0; i < width; ++i) {
      row.push_back(read_cell(statement.handle, i));
      bytes += sizeof(Table::Cell) + row.back().text.size();
    }
    if (bytes > kMostBytes)
      throw core::UsageError(
          "the result takes more than 1 GiB after " + std::to_string(table.rows.size()) + " rows",
          "ask for less (LIMIT, fewer columns, count or avg), or use `sqlite3 "
          "-readonly`, which prints as it reads");
  }
}

}  // namespace mosaic::db
