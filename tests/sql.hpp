/// SQL on database files, such as those of earlier versions, which the tests keep as text.
#pragma once

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <string>

namespace mosaic::test {

/// Runs statements; a file that is not there is made.
inline void execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  char* message = nullptr;
  const int code = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message);
  INFO((message == nullptr ? "" : message));
  CHECK(code == SQLITE_OK);
  sqlite3_free(message);
  sqlite3_close(database);
}

}  // namespace mosaic::test
