/// Latest good values of a job's networks by column, in the tables `members`, `series` and
/// `blocks`: what makes fronts and constrained bests of hundreds of thousands of networks fast. All
/// of it follows from `measurements`, is written in the same transactions, and can be made again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sqlite.hpp"

namespace mosaic::db {

/// Values in a row of `blocks`: as many as fit a page of 4096 bytes, so that one value costs one
/// page.
inline constexpr std::int64_t kBlockValues = 500;

/// Values that a transaction has measured, on their way into the columns. They are put there at
/// once, before the commit: a generation touches few blocks, and each is written once.
class PendingValues {
 public:
  void add(std::int64_t job, std::int64_t architecture, const std::string& metric, double value) {
    values_.push_back({job, architecture, metric, value});
  }
  std::size_t size() const { return values_.size(); }
  /// Writes what is not written yet, within the transaction that is open.
  void flush(Connection& connection);
  /// The transaction is over.
  void clear();

  /// Where a nested transaction begins, and where its rollback leads back to.
  struct Mark {
    std::size_t size;
    std::size_t flushed;
  };
  Mark mark() const { return {values_.size(), flushed_}; }
  void go_back(Mark mark) {
    values_.resize(mark.size);
    flushed_ = mark.flushed;
  }

 private:
  struct Value {
    std::int64_t job;
    std::int64_t architecture;
    std::string metric;
    double value;
  };
  std::vector<Value> values_;
  std::size_t flushed_ = 0;
};

/// Latest good values of one metric, by place; NaN where there is none.
std::vector<double> read_column(Connection& connection, std::int64_t job,
                                const std::string& metric);

/// Who stands at which place, in the order in which networks of the job were first measured.
struct Members {
  std::vector<std::int64_t> architectures;
  std::vector<bool> replaced;  ///< some metric was measured again
};
Members read_members(Connection& connection, std::int64_t job);

/// Makes all columns again from the measurements, within the transaction that is open.
void rebuild_columns(Connection& connection);

}  // namespace mosaic::db
