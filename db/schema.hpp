/// The tables and views of a results database, and how an older one becomes a newer one.
#pragma once

#include <span>

#include "sqlite.hpp"

namespace mosaic::db {

/// "Mosa" in the file's header: how a database of ours is told from any other SQLite file.
inline constexpr std::int64_t kApplicationId = 0x4d6f7361;

/// True for a database without a single table and without anybody's mark.
bool is_blank(Connection& connection);

/// Throws core::Error unless the file is a Mosaic database of at most this build's version.
void check_identity(Connection& connection);

/// Version of the schema that the file has (0 where it has none yet).
int stored_version(Connection& connection);

/// SQL that turns the tables of version `from` into those of `from` + 1.
const char* migration(int from);

/// What every database of this version shows, views after those that they read. Views hold nothing:
/// a migration drops them first and makes them anew at its end.
struct View {
  const char* name;
  const char* sql;  ///< CREATE VIEW
};
std::span<const View> views();

}  // namespace mosaic::db
