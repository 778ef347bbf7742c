/// Opening a database file, with every way in which that can go wrong told apart.
#pragma once

#include <memory>
#include <string>

#include "sqlite.hpp"

namespace mosaic::db {

/// A read-only connection to a Mosaic database of this build's schema version. Works beside a
/// running writer, and in a folder that may not be written. Throws core::Error.
std::unique_ptr<Connection> open_reader(const std::string& path);

/// As open_reader(), of any version that this build knows.
std::unique_ptr<Connection> open_any_version(const std::string& path);

/// A connection for the holder of the WriterLock: makes the file or takes one that is blank or
/// ours, whatever its version. Migration is up to the caller. Throws core::Error.
std::unique_ptr<Connection> open_writer(const std::string& path, int busy_milliseconds);

/// Throws core::Error for what no SQLite database could be: a folder, a foreign or truncated file.
/// True if there is something to open (not missing, not empty).
bool inspect_file(const std::string& path);

/// Throws core::Error if the folder that would hold `path` is not there.
void check_folder(const std::string& path);

}  // namespace mosaic::db
