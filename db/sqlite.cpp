#include "sqlite.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::db {
namespace {

bool is_no_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace

void throw_sqlite(int code, int system_error, const std::string& path, const std::string& detail) {
  const std::string cause =
      system_error != 0 ? detail + ", " + std::strerror(system_error) : detail;
  int primary = code & 0xff;
  if (primary == SQLITE_IOERR && is_no_space(system_error)) primary = SQLITE_FULL;
  switch (primary) {
    case SQLITE_FULL:
      throw core::Error("no space left to write " + path + " (" + cause + ")",
                        "free some space or raise the quota there and give the same command "
                        "again; everything committed before is safe");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw core::Error(path + " is locked by another program (" + detail + ")",
                        "end the program that writes to it (a `sqlite3` shell with an open "
                        "transaction?) and try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw core::Error(path + " is damaged (" + detail + ")",
                        "go back to a copy, or save what can be read with `sqlite3 " + path +
                            " .dump > rescued.sql`");
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw core::Error("cannot write to " + path + " (" + cause + ")",
                        "make the file and its folder writable, or choose another place with --db");
    case SQLITE_CANTOPEN:
      throw core::Error(
          "cannot open " + path + " (" + cause + ")",
          "check that the file is there and that it and its folder may be read; where "
          "the folder is read-only, copy the database with its -wal file elsewhere");
    case SQLITE_IOERR:
      throw core::Error(
          "reading or writing " + path + " failed (" + cause + ")",
          "check the disk and the file system (dmesg); everything committed before is "
          "safe once the disk works again");
    case SQLITE_INTERRUPT:
      throw core::Interrupted("the query was interrupted");
    default:
      throw core::Error("SQLite refused a statement on " + path + " (" + detail + ")");
  }
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      node_(std::move(other.node_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Statement::~Statement() {
  if (handle_ != nullptr) connection_->give_back(std::move(node_));
}

void Statement::bind(int index, std::int64_t value) {
  connection_->check(sqlite3_bind_int64(handle_, index, value));
}

void Statement::bind(int index, double value) {
  connection_->check(sqlite3_bind_double(handle_, index, value));
}

void Statement::bind(int index, std::string_view text, sqlite3_destructor_type lifetime) {
  // A null pointer would bind NULL instead of an empty text.
  const char* data = text.empty() ? "" : text.data();
  connection_->check(sqlite3_bind_text64(handle_, index, data, text.size(), lifetime, SQLITE_UTF8));
}

void Statement::bind(int index, Blob blob, sqlite3_destructor_type lifetime) {
  const char* data = blob.bytes.empty() ? "" : blob.bytes.data();
  connection_->check(sqlite3_bind_blob64(handle_, index, data, blob.bytes.size(), lifetime));
}

bool Statement::step() {
  errno = 0;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  // The message must be read before the statement is reset.
  connection_->check(code);
  return false;
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  const int size = sqlite3_column_bytes(handle_, column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

std::string Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  const int size = sqlite3_column_bytes(handle_, column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

Connection::Connection(const std::string& uri, const std::string& path, int flags) : path_(path) {
  const int code = sqlite3_open_v2(uri.c_str(), &handle_, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_exec(handle_, "PRAGMA cache_size = -65536", nullptr, nullptr, nullptr);  // 64 MiB
    return;
  }
  const std::string detail = sqlite3_errstr(code);
  const int system_error = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  sqlite3_close_v2(handle_);
  throw_sqlite(code, system_error, path_, detail);
}

Connection::~Connection() {
  for (const auto& [sql, handle] : pool_) sqlite3_finalize(handle);
  sqlite3_close_v2(handle_);
}

void Connection::check(int code) const {
  if (code == SQLITE_OK) return;
  const int last = errno;
  const int primary = code & 0xff;
  int system_error = 0;
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL) {
    system_error = sqlite3_system_errno(handle_);
    // SQLite forgets why a commit could not be written.
    if (system_error == 0 && is_no_space(last)) system_error = last;
  }
  throw_sqlite(code, system_error, path_, sqlite3_errmsg(handle_));
}

Statement Connection::borrow(std::string_view sql) {
  auto found = pool_.find(sql);
  if (found == pool_.end()) {
    sqlite3_stmt* handle = nullptr;
    check(sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                             SQLITE_PREPARE_PERSISTENT, &handle, nullptr));
    found = pool_.emplace(sql, handle);
  }
  return Statement(*this, pool_.extract(found));
}

void Connection::give_back(StatementPool::node_type node) noexcept {
  sqlite3_reset(node.mapped());
  sqlite3_clear_bindings(node.mapped());
  pool_.insert(std::move(node));
}

void Connection::script(const std::string& sql) {
  check(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Connection::integer(std::string_view sql) {
  Statement statement = prepare(sql);
  statement.step();
  return statement.integer(0);
}

}  // namespace mosaic::db
