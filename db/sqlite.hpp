/// Thin RAII over SQLite's C API, private to this room.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mosaic::db {

/// Opaque bytes to bind as a BLOB.
struct Blob {
  std::string_view bytes;
};

/// Turns an SQLite result code into a core::Error that says what to do. `what` is what was being
/// done
/// ("cannot write to"), `detail` SQLite's own words.
[[noreturn]] void throw_sqlite(int code, int system_error, const std::string& path,
                               const std::string& detail);

class Connection;

/// A prepared statement on loan from its connection: reset and given back when it goes out of
/// scope.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  /// NaN becomes NULL.
  void bind(int index, double value);
  void bind(int index, std::string_view text);
  void bind(int index, const std::string& text) { bind(index, std::string_view(text)); }
  void bind(int index, const char* text) { bind(index, std::string_view(text)); }
  void bind(int index, Blob blob);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) bind(index, *value);  // a parameter that was never bound is NULL
  }

  /// True while there is a row.
  bool step();
  /// Steps a statement that returns no rows.
  void run() {
    while (step()) {
    }
  }

  int columns() const { return sqlite3_column_count(handle_); }
  int type(int column) const { return sqlite3_column_type(handle_, column); }
  bool null(int column) const { return type(column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  double real(int column) const { return sqlite3_column_double(handle_, column); }
  std::string text(int column) const;
  std::string blob(int column) const;
  sqlite3_stmt* handle() const { return handle_; }

 private:
  friend class Connection;
  Statement(Connection& connection, std::string sql, sqlite3_stmt* handle)
      : connection_(&connection), sql_(std::move(sql)), handle_(handle) {}

  Connection* connection_;
  std::string sql_;
  sqlite3_stmt* handle_;
};

/// An open database file. Not for use by two threads at once.
class Connection {
 public:
  /// `uri` may carry SQLite's URI parameters; `path` is what messages call the file.
  Connection(const std::string& uri, const std::string& path, int flags);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Prepares `sql` (or takes it from the pool) and binds `arguments` in order.
  template <class... Arguments>
  Statement prepare(std::string_view sql, const Arguments&... arguments) {
    Statement statement = borrow(sql);
    [[maybe_unused]] int index = 0;
    (statement.bind(++index, arguments), ...);
    return statement;
  }
  template <class... Arguments>
  void run(std::string_view sql, const Arguments&... arguments) {
    prepare(sql, arguments...).run();
  }
  /// Runs a script of any number of statements.
  void script(const std::string& sql);
  /// First column of the first row, which must exist.
  std::int64_t integer(std::string_view sql);

  std::int64_t last_id() const { return sqlite3_last_insert_rowid(handle_); }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }
  void check(int code) const;

 private:
  friend class Statement;
  Statement borrow(std::string_view sql);
  void give_back(std::string sql, sqlite3_stmt* handle) noexcept;

  sqlite3* handle_ = nullptr;
  std::string path_;
  std::multimap<std::string, sqlite3_stmt*, std::less<>> pool_;
};

}  // namespace mosaic::db
