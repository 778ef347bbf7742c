/// Thin RAII over SQLite's C API, private to this room.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
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

/// Prepared statements by their text; one that is on loan is taken out, and put back without an
/// allocation.
using StatementPool = std::multimap<std::string, sqlite3_stmt*, std::less<>>;

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
  void bind(int index, std::string_view text) { bind(index, text, SQLITE_TRANSIENT); }
  void bind(int index, const std::string& text) { bind(index, std::string_view(text)); }
  void bind(int index, const char* text) { bind(index, std::string_view(text)); }
  void bind(int index, Blob blob) { bind(index, blob, SQLITE_TRANSIENT); }
  /// SQLITE_STATIC for what stays where it is until the statement is given back: no copy is made.
  void bind(int index, std::string_view text, sqlite3_destructor_type lifetime);
  void bind(int index, Blob blob, sqlite3_destructor_type lifetime);
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
  /// NaN where it is NULL.
  double real(int column) const {
    return null(column) ? std::numeric_limits<double>::quiet_NaN()
                        : sqlite3_column_double(handle_, column);
  }
  std::string text(int column) const;
  std::string blob(int column) const;
  sqlite3_stmt* handle() const { return handle_; }

 private:
  friend class Connection;
  Statement(Connection& connection, StatementPool::node_type node)
      : connection_(&connection), node_(std::move(node)), handle_(node_.mapped()) {}

  Connection* connection_;
  StatementPool::node_type node_;
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
  /// Runs a statement that returns no rows.
  template <class... Arguments>
  void run(std::string_view sql, const Arguments&... arguments) {
    Statement statement = borrow(sql);
    [[maybe_unused]] int index = 0;
    [[maybe_unused]] const auto bind = [&](const auto& argument) {
      using Argument = std::decay_t<decltype(argument)>;
      if constexpr (std::is_same_v<Argument, Blob>)
        statement.bind(++index, argument, SQLITE_STATIC);
      else if constexpr (std::is_convertible_v<Argument, std::string_view>)
        statement.bind(++index, std::string_view(argument), SQLITE_STATIC);
      else
        statement.bind(++index, argument);
    };
    (bind(arguments), ...);
    statement.run();
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
  void give_back(StatementPool::node_type node) noexcept;

  sqlite3* handle_ = nullptr;
  std::string path_;
  StatementPool pool_;
};

}  // namespace mosaic::db
