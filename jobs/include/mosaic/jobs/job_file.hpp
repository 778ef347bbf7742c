/// The job file: what a user asks for, read once and checked whole.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/csv.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/search/search.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::jobs {

/// An [[objective]].
struct ObjectiveFile {
  std::string metric;
  bool maximise = false;
  bool optimise = true;  ///< false: only constrained (goal = "none")
  evaluators::Measuring measuring;
  bool predicted = false;      ///< searched by prediction, re-measured on the front
  std::string predictor;       ///< "ridge", "mlp(...)"
  std::int64_t samples = 120;  ///< networks measured to fit the predictor
};

/// Where a search begins: networks, the front of an earlier job, or both.
struct StartFile {
  std::vector<std::string> archs;
  std::string where;  ///< "job.toml:12: [search] start", for messages
  std::string job;    ///< empty: none
  std::string where_job;
  std::string db;  ///< of that job; empty: the new job's own
};

/// A [rank] section: how well inherited scores rank networks.
struct RankFile {
  std::int64_t networks = 0;   ///< drawn from the space; 0: all of it
  std::int64_t supernets = 3;  ///< seeds: the job's, and those after it
  std::int64_t together = 0;   ///< networks trained at the same time; 0: as suits the device
  std::int64_t examples = 0;   ///< of the validation split; 0: all
  std::int64_t calibration = 1024;
  std::string precision = "float32";  ///< of scores, on a GPU: supernet::Scoring
  // The truth: a column of a table ...
  std::shared_ptr<const core::CsvTable> table;
  std::string column;
  std::int64_t best = 0;  ///< networks of the table's best truth, ranked apart
  // ... or networks trained alone.
  std::int64_t truth_seeds = 3;
  tasks::Split truth_split = tasks::Split::test;
  std::string truth_metric = {};  ///< of the task, or "loss"; empty: the task's leading one
  bool all_examples = true;       ///< train them on the training and the validation examples
  supernet::TrainSettings truth;

  void visit(core::Visitor& v);  ///< the keys of [rank] itself
};

struct JobFile {
  std::string path;
  std::string text;       ///< with what was set from outside
  std::string hash;       ///< of the text's values
  std::string file_hash;  ///< of the file's own, without what was set
  std::string name;
  std::uint64_t seed = 1;
  std::string device = "auto";
  std::int64_t threads = 0;  ///< CPU threads; 0: all
  std::string folder;        ///< of checkpoints and predictors; empty: beside the database
  std::string space;
  std::map<std::string, std::string> space_options;
  std::optional<tasks::TaskSettings> task;
  std::optional<supernet::SharingSettings> sharing;  ///< set if there is a [supernet]
  /// Folder of a job whose supernet's weights this one begins with; empty: drawn weights.
  std::string begin_with;
  std::string begin_hash = {};  ///< of those weights, once they were looked at
  supernet::TrainSettings train;
  /// Of the content of train.teacher: Workplace::open() sets it, and a job that goes on keeps it.
  std::string teacher_hash;
  /// Keys of `train` that a new job leaves to the size of its data: Workplace::open() sets them.
  bool epochs_by_data = false, batch_size_by_data = false;
  std::vector<ObjectiveFile> objectives;
  std::vector<db::Constraint> constraints;
  std::shared_ptr<const core::CsvTable> table;  ///< set if there is an [evaluator] of type "table"
  search::SearchSettings search;
  StartFile start;
  std::optional<RankFile> rank;

  /// Throws core::UsageError with file and line for anything missing, unknown or out of range.
  /// `set`: "KEY=VALUE", as core::Config::from_file() takes them.
  static JobFile from_file(const std::string& path, const std::vector<std::string>& set = {});
  /// A job's own copy, as the database keeps it.
  static JobFile from_text(const std::string& text, const std::string& path,
                           const std::vector<std::string>& set = {});
};

/// Throws core::UsageError where a job cannot be called so: the name becomes a folder's, and a word
/// of command lines.
void check_name(const std::string& name);

/// Keys of job files that had another name. Whoever parses a job file gives these to core::Config,
/// so that it has one hash under either name.
const core::FormerKeys& former_keys();

/// A file or folder named in a job: as it stands, or beside the job file.
std::string find_beside(const std::string& name, const std::string& job_path);

/// Loads the [job] plugins of a job. One that is not where the job says is taken as loaded where a
/// plugin of that file name is (--plugin). Throws core::UsageError at the line of the key.
void load_plugins(core::Section root, const std::string& job_path);

/// The [task] of a job, with its path found.
tasks::TaskSettings read_task(core::Section root, std::uint64_t seed, const std::string& job_path);

}  // namespace mosaic::jobs
