/// A job with everything it works on opened: space, task, database row, supernet.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/table.hpp"
#include "mosaic/jobs/job_file.hpp"
#include "mosaic/supernet/networks/supernet.hpp"

namespace mosaic::jobs {

/// What a job works on, without a database: enough to rebuild its supernet.
struct Workplace {
  JobFile file;
  std::string device;                 ///< where tensors are
  std::string trained_device;         ///< kind of device that the supernet is (or was) trained on
  std::unique_ptr<tasks::Task> task;  ///< null where the job has none
  std::unique_ptr<spaces::Space> space;
  std::shared_ptr<const evaluators::Table> table;  ///< null where there is none behind the job

  /// Loads the data, builds the space, sets the number of threads. `threads` and `device` override
  /// the file's (a job that goes on keeps those it began with).
  static Workplace open(JobFile file, std::optional<int> threads = {},
                        const std::string& device = {});

  /// Of the data that results depend on: the task's, or the table's.
  std::string data_checksum() const;
  /// Identity of the training: space, data, sharing, settings, seed, device kind and threads.
  std::string training_identity() const;
  std::unique_ptr<supernet::Supernet> make_supernet() const;
  /// Before a new training: gives fresh supernets the weights that they begin with, if the job
  /// names such ([supernet] begin_with), and puts the task's files (a vocabulary) beside the
  /// checkpoint in `folder`, for jobs that will begin with this one.
  void begin_training(std::span<supernet::Supernet* const> supernets,
                      const std::string& folder) const;
  /// The network that a training learns from; null where there is none. Throws core::Error where it
  /// is not the one that the job began with.
  std::shared_ptr<const supernet::Subnet> teacher() const;
};

/// The file of a job as it began: with epochs and batch size as they were then, if it left them
/// out, and the hashes of its teacher and of the weights that it began with.
JobFile begun_file(const db::Reader& database, const db::Job& job);
/// Keeps those of a new job.
void keep_begun(db::Database& database, const db::Job& job, const JobFile& file);

/// What besides Mosaic makes this process's numbers, with versions ("libtorch 2.11.0, pagmo 2.18").
std::string libraries();

/// Folder of a job's checkpoints: [job] folder, or "<database without extension>-files/<job>".
std::string job_folder(const JobFile& file, const std::string& db);
/// Folder in which a job's checkpoints are: where they were written, or, on another machine, beside
/// the database.
std::string existing_folder(const db::Job& job, const JobFile& file, const std::string& db);
/// File of a job's supernet in its folder.
std::string supernet_path(const std::string& folder);

}  // namespace mosaic::jobs
