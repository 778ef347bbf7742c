/// Who writes a database now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mosaic::db {

/// The process that has the database open for writing, 0 where its number cannot be told; nothing
/// where nobody does. Only one process can: a job that is said to run while nobody writes was
/// killed.
std::optional<std::int64_t> writer_of(const std::string& path);

}  // namespace mosaic::db
