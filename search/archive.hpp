/// Every network that a search has evaluated, and the best of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::search {

/// What stands for an objective of a network that could not be evaluated.
inline constexpr double kPenalty = 1e30;

/// An evaluated network.
struct Evaluated {
  spaces::Genotype genotype;  ///< canonical
  std::int64_t architecture = 0;
  std::vector<double> objectives;   ///< minimised; empty if one of them failed
  std::vector<double> excess = {};  ///< over each constraint, relative to its bound

  bool ok() const { return !objectives.empty(); }
  bool feasible() const {
    return ok() && std::all_of(excess.begin(), excess.end(), [](double e) { return e <= 0; });
  }
};

/// Evaluated networks in the order proposed, with their Pareto front and its hypervolume.
class Archive {
 public:
  explicit Archive(std::size_t objectives) : objectives_(objectives) {}

  void add(Evaluated network);
  const Evaluated* find(const spaces::Genotype& genotype) const;
  std::size_t size() const { return networks_.size(); }

  /// Brings the front up to date with what was added; true if it changed. The first call that sees
  /// a good network also fixes the scale of the hypervolume: best and worst value of every
  /// objective so far.
  bool update();

  /// How many failed.
  std::size_t failed() const { return failed_; }

  /// Architecture ids, by first objective.
  std::vector<std::int64_t> front() const;
  /// In units of the scale; 0 until it is fixed.
  double hypervolume() const;

  /// The scale, empty until it is fixed; restored when a search goes on. The reference moves
  /// outwards with the front.
  struct Scale {
    std::vector<double> best;
    std::vector<double> worst;
    std::vector<double> reference;
  };
  const Scale& scale() const { return scale_; }
  void set_scale(Scale scale);

 private:
  void fix_scale();
  double unit(std::size_t objective) const;
  void move_reference(const std::vector<double>& objectives);

  std::size_t objectives_;
  std::vector<Evaluated> networks_;
  std::map<spaces::Genotype, std::size_t> index_;
  std::size_t failed_ = 0;
  std::size_t seen_ = 0;            // networks that the front knows of
  std::vector<std::size_t> front_;  // indices, by first objective
  Scale scale_;
};

}  // namespace mosaic::search
