/// What the results database holds, as plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/core/measurement.hpp"

namespace mosaic::db {

/// An objective of a job: a metric and its direction.
struct Objective {
  std::string metric;
  bool maximise = false;
  bool operator==(const Objective&) const = default;
};

/// A bound that a job puts on a metric: only networks that keep it are feasible.
struct Constraint {
  std::string metric;
  bool upper = true;  ///< value <= bound; otherwise value >= bound
  double bound = 0;
  bool operator==(const Constraint&) const = default;
};

/// One job: everything needed to know where its numbers come from.
struct Job {
  std::int64_t id = 0;
  std::string name;         ///< unique in a database
  std::string status;       ///< "running", "interrupted", "failed", "finished"
  std::string phase;        ///< "train", "measure", "search", "remeasure", "done"
  std::string config;       ///< the job file as written
  std::string config_hash;  ///< over its values
  std::string config_path;  ///< where it was read from
  std::uint64_t seed = 0;
  std::string space;       ///< name
  std::string space_hash;  ///< identity: name, options, task shape, graph
  std::string task;        ///< name
  std::string data_checksum;
  std::string device;
  int threads = 0;
  std::string version;    ///< of Mosaic
  std::string revision;   ///< git
  std::string libraries;  ///< "libtorch 2.11.0, pagmo 2.18, ..."
  std::string folder;     ///< of checkpoints and models
  std::string message;    ///< why it failed
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  std::string created;  ///< UTC
  std::string updated;
};

/// A network as a job knows it.
struct Network {
  std::int64_t architecture = 0;  ///< row id
  std::string arch;               ///< text form
  std::string hash;
  std::optional<std::int64_t> evaluation;  ///< running number within the job; none if only timed
  std::map<std::string, core::Measurement> metrics;  ///< latest good measurement of each metric
  struct Predicted {
    double mean = 0;
    double deviation = 0;
    std::string predictor;
  };
  std::map<std::string, Predicted> predicted;  ///< latest prediction of each metric
};

/// A kind of failure: networks of a job that were tried and have no good value of some metric.
struct Failure {
  std::int64_t networks = 0;
  std::string metric;
  std::string message;  ///< of the first of them; messages that differ in numbers only are one kind
};

/// A network whose latest good value of a metric is a suspect one (core::Measurement::suspect()).
struct Suspect {
  std::int64_t architecture = 0;
  std::string arch;
  std::string hash;
  core::Measurement measurement;
};

/// A constrained best: of the networks that keep every bound, the `count` best of one metric.
struct Best {
  std::string metric;
  bool maximise = true;
  std::vector<Constraint> bounds;
  std::size_t count = 1;
};

/// One line of the training curve.
struct TrainingPoint {
  std::int64_t step = 0;
  double epoch = 0;
  double learning_rate = 0;
  double examples_per_second = 0;
  /// By name, of the sampled subnets on their training batches: "loss", and the task's own.
  std::map<std::string, double> metrics = {};
};

/// One generation (or round) of a search.
struct Generation {
  std::int64_t number = 0;
  std::int64_t evaluations = 0;  ///< distinct networks evaluated so far
  double hypervolume = 0;
  std::vector<std::int64_t>
      front;  ///< architecture ids, as searched (predictions where they stand in)
};

}  // namespace mosaic::db
