/// The results database: one SQLite file that remembers every job, measurement, prediction and
/// front.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/db/changes.hpp"
#include "mosaic/db/records.hpp"

namespace mosaic::db {

/// A result of plain SQL: all cells as text (NULL is an empty optional), with the column types as
/// SQLite reported them so that JSON output can keep numbers as numbers.
struct Table {
  enum class Type { null, integer, real, text };
  struct Cell {
    Type type = Type::null;
    std::string text;
  };
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
};

/// Read-only access, safe beside a running writer (WAL). Throws core::Error for a missing file, a
/// file that is not a Mosaic database, or one written by a newer version (with what to do).
class Reader {
 public:
  explicit Reader(const std::string& path);
  virtual ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// The file, as it was named.
  const std::string& path() const;

  std::vector<Job> jobs() const;
  /// A job by name; without a name the only one, or the latest. Unknown: Error listing the known
  /// ones.
  Job job(const std::optional<std::string>& name = std::nullopt) const;
  std::optional<Job> find_job(const std::string& name) const;

  /// Every network of a job that has a measurement, prediction or evaluation number, by
  /// architecture id.
  std::vector<Network> networks(std::int64_t job) const;
  std::optional<Network> network(std::int64_t job, const std::string& arch_or_hash) const;
  /// The measured Pareto front: networks for which every objective was measured and every
  /// constraint of the job is kept (an unmeasured metric keeps none), none dominated by another
  /// such network, by first objective; of equal ones the one found first. Empty while none is
  /// feasible. `at`: only evaluations numbered up to it, with the values that were known before the
  /// next one was numbered. What was measured for the first time later (a front re-measured after a
  /// search by prediction) counts with its first value.
  std::vector<Network> front(const Job& job, std::optional<std::int64_t> at = std::nullopt) const;

  /// Latest good values of some metrics of a job, by column: cheap for hundreds of thousands of
  /// networks.
  struct Values {
    std::vector<std::int64_t> architectures;   ///< row ids, in the order first measured
    std::vector<std::vector<double>> columns;  ///< one a metric asked for; NaN where not measured
  };
  Values values(std::int64_t job, const std::vector<std::string>& metrics) const;
  /// Metrics of which a job has a good measurement, by name.
  std::vector<std::string> metrics(std::int64_t job) const;
  /// Networks of a job by row id, in that order; such as have nothing in this job are left out.
  std::vector<Network> networks(std::int64_t job,
                                const std::vector<std::int64_t>& architectures) const;
  /// Text and row id of every measured network of a job, in the order first measured.
  struct Named {
    std::int64_t architecture;
    std::string arch;
  };
  std::vector<Named> measured_networks(std::int64_t job) const;

  /// Best first; of equal ones the one that is better in the job's other objectives, in their
  /// order, then the one with fewer parameters, then the one evaluated first: never one that
  /// another of equal value dominates. Only the latest good measurements count; fewer networks than
  /// asked for where fewer keep the bounds. A metric that was never measured in the job: UsageError
  /// that lists those that were.
  std::vector<Network> best(const Job& job, const Best& wanted) const;

  /// What the measured front was made of at each of some numbers of evaluations: points as costs
  /// (smaller is better, objectives in the job's order), nothing dominated, no two equal.
  /// `evaluations` ascends.
  std::vector<std::vector<std::vector<double>>> front_points(
      const Job& job, const std::vector<std::int64_t>& evaluations) const;

  /// The newest good-or-failed measurement of a network, if there is one. `job` = nullopt: of any
  /// job; `device` = nullopt: made on any device.
  std::optional<core::Measurement> find_measurement(
      std::optional<std::int64_t> job, const std::string& space_hash, const std::string& arch_hash,
      const std::string& metric, const std::string& fidelity,
      const std::optional<std::string>& device = std::nullopt) const;
  /// Why networks of a job have no good value of a metric, the most frequent kind first.
  std::vector<Failure> failures(std::int64_t job) const;
  /// Networks whose latest good value was taken while the device was slow, in the order taken.
  std::vector<Suspect> suspects(std::int64_t job) const;

  /// All measurements of one metric in the order in which they were made.
  struct Timed {
    std::int64_t id;
    std::string arch;
    std::string arch_hash;
    core::Measurement measurement;
  };
  std::vector<Timed> measurements(std::int64_t job, const std::string& metric) const;

  /// By step; `after`: only later ones.
  std::vector<TrainingPoint> training_curve(std::int64_t job, std::int64_t after = -1) const;
  /// By number; `after`: only later ones.
  std::vector<Generation> generations(std::int64_t job, std::int64_t after = -1) const;
  /// Latest saved state of a phase ("search"): opaque bytes.
  std::optional<std::string> state(std::int64_t job, const std::string& phase) const;
  /// Evaluation numbers given so far, in order: (number, arch text, hash).
  struct Evaluation {
    std::int64_t number;
    std::string arch;
    std::string hash;
  };
  std::vector<Evaluation> evaluations(std::int64_t job) const;
  std::int64_t evaluation_count(std::int64_t job) const;

  /// Whether a job has nothing yet: no measurement, prediction or evaluation, and no step of
  /// training.
  bool has_nothing(std::int64_t job) const;

  /// Another number whenever another connection has committed something; asking costs nothing.
  std::int64_t version() const;
  /// What was written of a job after `since`, as one state of the database has it.
  Changes changes(std::int64_t job, const Cursor& since = {}) const;
  /// Networks of a job that were both predicted and measured, metric by metric.
  std::vector<Compared> compared(std::int64_t job) const;

  /// Every measurement, then every prediction of a network, of any job, in the order made, with all
  /// that is known of where it comes from: the columns of `mosaic provenance`. `taken_from` is the
  /// id of another job's measurement that this one repeats to the last bit: it was not made again.
  /// `session` is NULL for rows of schema version 1. `job`: only of that job.
  Table provenance(const std::string& arch_or_hash,
                   std::optional<std::int64_t> job = std::nullopt) const;

  /// One SELECT (or read-only pragma/explain). Anything that writes, attaches, or is more than one
  /// statement: Error. Never changes the file.
  Table query(const std::string& sql) const;

 protected:
  struct Impl;
  Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  friend class Snapshot;
};

/// While it lives, all that is read through a Reader is of one state of the database, whoever
/// writes meanwhile; other threads wait for the Reader. They nest: the outermost one says which
/// state. Nothing is written through it meanwhile. Keep it short: until it ends, what others write
/// collects in the write-ahead log.
class Snapshot {
 public:
  explicit Snapshot(const Reader& reader);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Reader::Impl& impl_;
  std::unique_lock<std::recursive_mutex> guard_;
  bool own_;
};

/// How a Database writes.
struct WriterOptions {
  /// A commit is on the disk before a method returns: it survives a power failure (an fsync each,
  /// some milliseconds). Without, it survives any kill of the process, and a power failure may take
  /// the last commits; the file stays sound. For searches on tables, whose numbers cost nothing to
  /// get again.
  bool survive_power_failure = true;
  /// How long to wait for another program (a `sqlite3` shell) that holds the file.
  int busy_milliseconds = 20'000;
  /// What else makes this process's numbers ("libtorch 2.11.0, pagmo 2.18"), for their provenance.
  /// Empty: as the job says, where the same build began it, and else not known.
  std::string libraries = {};
};

/// The one writer. Creates or migrates the file; a second writer on the same file gets an Error
/// that names the process holding it. Every method commits before it returns, unless inside
/// transaction(). Safe to call from several threads.
class Database : public Reader {
 public:
  explicit Database(const std::string& path, const WriterOptions& options = {});
  ~Database() override;

  /// WriterOptions::survive_power_failure, from the next commit on: for who learns from the file
  /// itself what its numbers cost. Not inside transaction().
  void survive_power_failure(bool survive);

  /// All or nothing; nested calls join the outer one.
  void transaction(const std::function<void()>& body);

  /// Creates a job, with its objectives and constraints, and fills in its id and dates. A taken
  /// name: Error. A bound that is no finite number: UsageError.
  void create_job(Job& job);
  /// Rewrites status, phase, message, config and its hash, device, threads, folder, data_checksum
  /// and versions; the rest is fixed.
  void update_job(const Job& job);
  /// Removes a job that has_nothing(). False, and nothing is changed, where it has something.
  bool discard_job(std::int64_t job);
  /// Removes a job with all that it has, and architectures that no other job knows.
  void remove_job(std::int64_t job);
  /// Gives a job another name. A taken one: Error.
  void rename_job(std::int64_t job, const std::string& name);
  /// Takes all jobs of another database in, with all that they have, behind those that are here.
  /// `path` is a file of this build's schema version that nobody writes. A name that is in both:
  /// Error.
  void append(const std::string& path);

  /// Id of an architecture (made at the first call). Architectures belong to a space, not a job.
  std::int64_t architecture(const std::string& space_hash, const std::string& arch,
                            const std::string& hash);
  void add_measurement(std::int64_t job, std::int64_t architecture,
                       const core::Measurement& measurement);
  void add_prediction(std::int64_t job, std::int64_t architecture, const std::string& metric,
                      double mean, double deviation, const std::string& predictor);
  /// Gives the architecture the job's next running number, or returns the one that it has.
  std::int64_t number_evaluation(std::int64_t job, std::int64_t architecture);
  void add_training_point(std::int64_t job, const TrainingPoint& point);
  /// Drops training points after `step` (a job that goes on from an older checkpoint).
  void truncate_training(std::int64_t job, std::int64_t step);
  void add_generation(std::int64_t job, const Generation& generation);
  void save_state(std::int64_t job, const std::string& phase, const std::string& state);
  /// Goes back to a saved generation: drops later generations, and the evaluation numbers above
  /// `evaluations`. Measurements stay: the replay finds them.
  void rewind(std::int64_t job, std::int64_t generation, std::int64_t evaluations);

 private:
  /// A transaction of its own, or part of the one that is open: for what one statement does.
  void write(const std::function<void()>& body);
  /// Row of `sessions` of this process and job; none for a job that is not there.
  std::optional<std::int64_t> session(std::int64_t job);
};

/// Version of the schema that this build writes.
int schema_version();

/// Copies a database of any known version, as it is at this moment, to a new file; one that is
/// written meanwhile as well. Throws core::Error.
void copy_database(const std::string& from, const std::string& to);

}  // namespace mosaic::db
