#include "selection.hpp"

namespace mosaic::cli {

void add_selection_options(App& app, jobs::Selection& selection) {
  const Check is_bound{[](const std::string& text) -> std::string {
    try {
      (void)jobs::parse_bound(text, true);
      return "";
    } catch (const core::UsageError& error) {
      return error.what();
    }
  }};
  app.add_option("--max", selection.max,
                 "upper bound of a measured metric, such as latency_ms=2; may be repeated")
      ->check(is_bound);
  app.add_option("--min", selection.min,
                 "lower bound of a measured metric, such as accuracy=90; may be repeated")
      ->check(is_bound);
  app.add_option("--best", selection.metric,
                 "metric to optimise within the bounds (default: first objective)");
  app.add_option("--goal", selection.goal, "max or min, for a metric that is no objective")
      ->check(one_of({"max", "min"}));
}

}  // namespace mosaic::cli
