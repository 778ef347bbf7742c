#include "open.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "lock.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/db/database.hpp"
#include "schema.hpp"

namespace mosaic::db {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyMilliseconds = 20'000;

std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : real_path(path)) {
    if (c == '%' || c == '?' || c == '#') {
      char code[4];
      std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
      uri += code;
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

std::uint32_t big_endian(const unsigned char* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool has_content(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return !error && size > 0;
}

/// Fails if the file ends before the last page that its header speaks of. Not while a log or
/// journal lies beside it: then its true content is in both.
void check_length(const std::string& path, const unsigned char* header) {
  const auto real = real_path(path);
  if (has_content(real + "-wal") || has_content(real + "-journal")) return;
  const auto counter = big_endian(header + 24, 4);
  const auto valid_for = big_endian(header + 92, 4);
  if (counter != valid_for) return;
  std::uint64_t page_size = big_endian(header + 16, 2);
  if (page_size == 1) page_size = 65536;
  const std::uint64_t expected = page_size * big_endian(header + 28, 4);
  const std::uint64_t found = fs::file_size(path);
  if (found < expected)
    throw_sqlite(SQLITE_CORRUPT, 0, path,
                 "truncated: " + std::to_string(found) + " bytes of " + std::to_string(expected));
}

/// True if the file's header says that its last writer used a write-ahead log.
bool in_wal_mode(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 20> header{};
  file.read(header.data(), header.size());
  return file.gcount() == static_cast<std::streamsize>(header.size()) && header[18] == 2;
}

/// Makes SQLite read the file for the first time, which is when it finds out whether it can.
void touch(Connection& connection) { connection.integer("SELECT count(*) FROM sqlite_master"); }

std::unique_ptr<Connection> open_read_only(const std::string& path) {
  const auto open = [&](const std::string& uri) {
    auto connection = std::make_unique<Connection>(
        uri, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX);
    sqlite3_busy_timeout(connection->handle(), kBusyMilliseconds);
    touch(*connection);
    return connection;
  };
  // Even a reader needs the log's index beside the database. Where that file cannot be made, and
  // there is no log, nobody can be writing either: the file can be read as one that never changes.
  const auto real = real_path(path);
  const bool can_write_folder = ::access(folder_of(real).c_str(), W_OK) == 0;
  if (!can_write_folder && !has_content(real + "-wal") && !has_content(real + "-journal"))
    return open(immutable_uri(path));
  return open(real);
}

}  // namespace

void check_folder(const std::string& path) {
  if (path.empty())
    throw core::UsageError("the path of the results database is empty",
                           "give a file name with --db");
  const auto folder = folder_of(fs::is_symlink(path) ? real_path(path) : path);
  if (!fs::is_directory(folder))
    throw core::Error("cannot make " + path + ": there is no folder " + folder,
                      "make it (mkdir -p " + folder + ") or choose another place with --db");
}

bool inspect_file(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return false;
  if (fs::is_directory(status))
    throw core::Error(path + " is a folder, expected a results database",
                      "give a file, such as " + path + "/results.db, with --db");
  if (!fs::is_regular_file(status))  // opening a pipe would wait for ever
    throw core::Error(path + " is no regular file, and a results database is one",
                      "give a file, such as results.db, with --db");
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw core::Error("cannot read " + path + " (" + std::strerror(errno) + ")",
                      "check its permissions");
  std::array<char, 100> header{};
  file.read(header.data(), header.size());
  const auto size = static_cast<std::size_t>(file.gcount());
  if (size == 0) return false;
  constexpr char magic[] = "SQLite format 3";  // its closing zero belongs to it
  if (std::memcmp(header.data(), magic, std::min(size, sizeof magic)) != 0)
    throw core::Error(path + " is not an SQLite database",
                      "give the path of a results database, or of a new file, with --db");
  if (size < header.size())
    throw_sqlite(SQLITE_CORRUPT, 0, path, "truncated: " + std::to_string(size) + " bytes");
  check_length(path, reinterpret_cast<const unsigned char*>(header.data()));
  return true;
}

std::unique_ptr<Connection> open_any_version(const std::string& path) {
  if (!inspect_file(path)) {
    if (path.empty() || !fs::exists(path))
      throw core::Error("there is no results database " + (path.empty() ? "\"\"" : path),
                        "name one with --db, or make one with `mosaic run JOB.toml --db " +
                            (path.empty() ? "results.db" : path) + "`");
    throw core::Error(path + " is empty: it holds no results yet",
                      "`mosaic run JOB.toml --db " + path + "` fills it");
  }
  const auto system = network_file_system_of(folder_of(real_path(path)));
  if (const auto advice = network_advice(path, system, false, in_wal_mode(path)); !advice.empty())
    core::log_warning(advice);
  auto connection = open_read_only(path);
  if (is_blank(*connection))
    throw core::Error(path + " is empty: it holds no results yet",
                      "`mosaic run JOB.toml --db " + path + "` fills it");
  check_identity(*connection);
  return connection;
}

std::unique_ptr<Connection> open_reader(const std::string& path) {
  auto connection = open_any_version(path);
  if (const int version = stored_version(*connection); version < schema_version())
    throw core::Error(path + " has the older schema version " + std::to_string(version) +
                          " (this build reads version " + std::to_string(schema_version()) + ")",
                      "any command that writes to it brings it up to date, such as `mosaic resume "
                      "--db " +
                          path + "`; keep a copy if an older Mosaic is to read it");
  return connection;
}

std::unique_ptr<Connection> open_writer(const std::string& path, int busy_milliseconds) {
  // SQLite takes names like ":memory:" and "file:..." for something else; a full path is one.
  auto connection = std::make_unique<Connection>(
      real_path(path), path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
  sqlite3_busy_timeout(connection->handle(), busy_milliseconds);
  touch(*connection);
  // Where the file may only be read, SQLite opens it so without a word.
  if (sqlite3_db_readonly(connection->handle(), "main") == 1)
    throw_sqlite(SQLITE_READONLY, 0, path, "the file may only be read");
  if (!is_blank(*connection)) check_identity(*connection);
  return connection;
}

}  // namespace mosaic::db
