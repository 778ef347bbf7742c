/// The job file: what a user asks for, read once and checked whole.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/search/search.hpp"
#include "mosaic/supernet/router.hpp"
#include "mosaic/supernet/trainer.hpp"
#include "mosaic/tasks/task.hpp"

namespace mosaic::cli {

/// An [[objective]].
struct ObjectiveFile {
  std::string metric;
  bool maximise = false;
  evaluators::MeasureSettings measure;
  bool predicted = false;      ///< searched by prediction, re-measured on the front
  std::string predictor;       ///< "ridge", "mlp(...)"
  std::int64_t samples = 120;  ///< networks measured to fit the predictor
};

struct JobFile {
  std::string path;
  std::string text;
  std::string hash;
  std::string name;
  std::uint64_t seed = 1;
  std::string device = "auto";
  std::int64_t threads = 0;  ///< CPU threads; 0: all
  std::string folder;        ///< of checkpoints and predictors; empty: beside the database
  std::string space;
  std::map<std::string, std::string> space_options;
  std::optional<tasks::TaskSettings> task;
  std::optional<supernet::RouterSettings> router;  ///< set if there is a [supernet]
  supernet::TrainSettings train;
  std::vector<ObjectiveFile> objectives;
  search::SearchSettings search;

  /// Throws core::UsageError with file and line for anything missing, unknown or out of range.
  static JobFile from_file(const std::string& path);
  /// A job's own copy, as the database keeps it.
  static JobFile from_text(const std::string& text, const std::string& path);
};

}  // namespace mosaic::cli
