/// What a Reader and a Database are made of.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "columns.hpp"
#include "lock.hpp"
#include "mosaic/db/database.hpp"
#include "sqlite.hpp"

namespace mosaic::db {

struct Reader::Impl {
  explicit Impl(std::string given) : path(std::move(given)) {}

  std::string path;
  std::unique_ptr<WriterLock> lock;  ///< declared first: let go of after the file is closed
  std::unique_ptr<Connection> connection;
  std::recursive_mutex mutex;
  int depth = 0;          ///< of nested transactions
  std::string libraries;  ///< of the process that writes; empty: not known
  /// Measured in the transaction that is open, not yet in the columns.
  PendingValues pending;
  /// Row of `sessions` in which this process writes, by job.
  std::map<std::int64_t, std::int64_t> sessions;
  /// Architectures asked for lately, by space and text: a search asks for each several times.
  struct Known {
    std::int64_t id;
    std::string hash;
  };
  std::unordered_map<std::string, Known> architectures;

  /// What is remembered of rows that a roll-back may have taken.
  void forget() {
    sessions.clear();
    architectures.clear();
  }

  /// Columns as they are: with what the open transaction of this thread measured. Hold the mutex.
  void complete_columns() { pending.flush(*connection); }
};

Table::Cell read_cell(sqlite3_stmt* row, int column);

}  // namespace mosaic::db
