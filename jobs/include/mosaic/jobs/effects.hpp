/// Which decisions of a space matter for a metric: averages by option.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/spaces/supergraph.hpp"

namespace mosaic::jobs {

/// Networks that took one option of a decision.
struct OptionEffect {
  std::string option;
  std::int64_t networks = 0;
  double mean = 0;
  /// Half the width of the 95% interval of the mean (Student's t with networks - 1 degrees of
  /// freedom, the option's own variance); none for fewer than three
  /// networks: of two the interval tells nothing.
  std::optional<double> half_width;
};

/// A decision, over the networks in which it is active.
struct DecisionEffect {
  std::string decision;
  std::vector<OptionEffect> options;  ///< those that some network took
  std::optional<OptionEffect> inactive;
  /// Share of the metric's variance that the option explains: one-way eta squared, adjusted for its
  /// degrees of freedom (epsilon squared, Kelley 1935): 1 - [SSE / (n - k)] / [SST / (n - 1)], not
  /// below 0. None where n <= k or nothing varies.
  std::optional<double> explained;
};

/// Collects values of networks and tells the effects, the decision that explains most first (of
/// equal ones as the space has them; those without a share last).
class Effects {
 public:
  explicit Effects(const std::vector<spaces::Gene>& genes);
  /// `active` says of each gene whether some part of the network depends on it.
  void add(const spaces::Genotype& genotype, const std::vector<bool>& active, double value);
  std::vector<DecisionEffect> decisions() const;

 private:
  /// Count, mean and sum of squared deviations (Welford), which adds up without cancellation.
  struct Moments {
    std::int64_t count = 0;
    double mean = 0;
    double squares = 0;
    void add(double value);
  };
  static OptionEffect effect(const std::string& option, const Moments& moments);
  static std::optional<double> explained(const std::vector<Moments>& options);

  const std::vector<spaces::Gene>& genes_;
  std::vector<std::vector<Moments>> options_;  ///< by gene and option; the last one is inactive
};

}  // namespace mosaic::jobs
