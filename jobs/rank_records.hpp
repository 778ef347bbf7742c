/// What is recorded of a ranking, and what is left of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/db/database.hpp"
#include "mosaic/evaluators/evaluator.hpp"
#include "mosaic/jobs/workplace.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"

namespace mosaic::jobs {

/// The networks of a ranking, and how their scores and truths are known again in a database.
class RankRecords {
 public:
  /// `database`: null where there is none yet; the job may be one that is not in it.
  RankRecords(const Workplace& work, const db::Reader* database, const db::Job& job);

  using Candidate = evaluators::Candidate;
  const std::vector<Candidate>& candidates() const { return candidates_; }
  /// Of best truth in the table, ranked apart.
  const std::vector<Candidate>& best() const { return best_; }
  /// Of the supernets.
  const std::vector<std::uint64_t>& seeds() const { return seeds_; }
  /// Of the task: the loss comes last.
  const std::vector<tasks::MetricType>& metrics() const { return metrics_; }
  /// Of the supernets' training.
  const std::string& supernets_identity() const { return supernets_identity_; }

  /// A good measurement, this job's before others'.
  std::optional<core::Measurement> recorded(const Candidate& candidate, const std::string& metric,
                                            const std::string& fidelity) const;
  std::string inherited_fidelity(std::uint64_t seed, const tasks::MetricType& metric) const;
  /// Candidates and best() that some supernet has not scored in some metric, each once.
  std::vector<Candidate> unscored() const;

  /// What networks that were trained alone are judged by, and under which name a metric of theirs
  /// is recorded.
  const tasks::MetricType& truth_metric() const { return metrics_[truth_]; }
  static std::string alone(const tasks::MetricType& metric) { return "standalone_" + metric.name; }
  std::string alone_fidelity(std::uint64_t seed, const tasks::MetricType& metric) const;
  std::vector<std::uint64_t> truth_seeds() const;
  /// What a network reached alone, in this job or one like it.
  std::optional<core::Measurement> truth(const Candidate& candidate, std::uint64_t seed) const;
  struct Alone {
    std::size_t network;
    std::uint64_t seed;
  };
  /// Trainings alone whose truth is not known, network by network: those that differ in nothing but
  /// the seed run as one where they are trained together.
  std::vector<Alone> untrained() const;

  supernet::Scoring how_to_score(tasks::Split split, std::int64_t examples) const;

 private:
  /// By every supernet, in every metric?
  bool is_scored(const Candidate& candidate) const;
  std::vector<spaces::Genotype> networks() const;
  std::vector<Candidate> best_of_table() const;
  std::string scoring_text() const;
  std::string written_text(const tasks::MetricType& metric) const;
  std::string former_alone_fidelity(std::uint64_t seed) const;
  std::vector<std::int64_t> jobs_of_like_truths() const;

  const Workplace& work_;
  const RankFile& rank_;
  const db::Reader* database_;
  const db::Job& job_;
  std::vector<tasks::MetricType> metrics_;
  std::size_t truth_ = 0;  ///< of metrics_
  std::vector<Candidate> candidates_;
  std::vector<Candidate> best_;
  std::vector<std::uint64_t> seeds_;
  std::string supernets_identity_;
  std::vector<std::int64_t> like_truths_;
};

/// Where the supernets of a ranking are trained.
std::string supernets_path(const std::string& folder);

/// The task that the networks of a ranking are trained alone on, where it is not the job's own;
/// else null.
std::unique_ptr<tasks::Task> alone_task(const Workplace& work);

}  // namespace mosaic::jobs
