/// A search space as a pagmo problem whose generations are evaluated in one batch.
#pragma once

#include <memory>
#include <pagmo/problem.hpp>
#include <pagmo/s11n.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mosaic/search/algorithm.hpp"

namespace mosaic::search {

/// Genes as pagmo has them.
spaces::Genotype genotype_of(const pagmo::vector_double& genes);

/// The user-defined problem of all of pagmo's algorithms: every gene is an integer from 0 to its
/// number of options minus one. Give the algorithm and the first population a `pagmo::bfe`, or
/// fitness comes one by one. pagmo copies problems freely; all copies share one callback, which is
/// not serialised: connect() again after loading.
class SpaceProblem {
 public:
  SpaceProblem() = default;
  SpaceProblem(const spaces::Space& space, std::size_t objectives);

  /// Who evaluates from now on; the callback must outlive the evaluations.
  void connect(const BatchFitness* fitness) { *fitness_ = fitness; }

  pagmo::vector_double fitness(const pagmo::vector_double& genes) const;
  pagmo::vector_double batch_fitness(const pagmo::vector_double& generation) const;
  bool has_batch_fitness() const { return true; }
  std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const;
  pagmo::vector_double::size_type get_nobj() const { return objectives_; }
  pagmo::vector_double::size_type get_nix() const { return upper_.size(); }
  std::string get_name() const { return "architecture search"; }

  template <class Archive>
  void serialize(Archive& archive, unsigned) {
    archive& upper_& objectives_;
  }

 private:
  pagmo::vector_double upper_ = {1};
  std::size_t objectives_ = 2;
  std::shared_ptr<const BatchFitness*> fitness_ = std::make_shared<const BatchFitness*>(nullptr);
};

}  // namespace mosaic::search

PAGMO_S11N_PROBLEM_EXPORT_KEY(mosaic::search::SpaceProblem)
