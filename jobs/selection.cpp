#include "mosaic/jobs/selection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "begin.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/jobs/job_state.hpp"

namespace mosaic::jobs {
namespace {

std::string relation(const db::Constraint& bound) {
  return bound.metric + (bound.upper ? " <= " : " >= ") + core::format_double(bound.bound);
}

std::string relations(const std::vector<db::Constraint>& bounds) {
  return core::join(core::mapped(bounds, relation), " and ");
}

/// The bounds given, and the job's own on metrics that none was given for.
std::vector<db::Constraint> bounds_of(const Selection& selection, const db::Job& job) {
  std::vector<db::Constraint> bounds;
  for (const auto& text : selection.max) bounds.push_back(parse_bound(text, true));
  for (const auto& text : selection.min) bounds.push_back(parse_bound(text, false));
  if (const auto two = contradiction(bounds))
    throw core::UsageError("no value is both: " + relations({two->first, two->second}),
                           "exchange the bounds, or leave one out");
  const auto given = bounds;
  for (const auto& constraint : job.constraints)
    if (std::none_of(given.begin(), given.end(),
                     [&](const auto& bound) { return bound.metric == constraint.metric; }))
      bounds.push_back(constraint);
  return bounds;
}

bool maximises(const Selection& selection, const db::Job& job, const std::string& metric) {
  if (!selection.goal.empty()) return selection.goal == "max";
  for (const auto& objective : job.objectives)
    if (objective.metric == metric) return objective.maximise;
  const auto known = evaluators::known_metrics({});
  if (const auto found = known.find(metric); found != known.end() && found->second.info.maximise)
    return *found->second.info.maximise;
  throw core::UsageError(
      "'" + metric + "' is no objective of job '" + job.name + "', so which values are good?",
      "add --goal max or --goal min");
}

/// How far a value is beyond a bound, as a share of the bound; 0 within, infinite if not measured.
double excess(const db::Constraint& bound, double value) {
  if (std::isnan(value)) return std::numeric_limits<double>::infinity();
  const double beyond = bound.upper ? value - bound.bound : bound.bound - value;
  return std::max(0.0, beyond) / std::max(std::abs(bound.bound), 1e-12);
}

std::string how_to_see_all(const db::Reader& reader, const db::Job& job) {
  return "mosaic front --all " + job_option(job.name) + " --db " + core::quoted(reader.path());
}

/// Of the networks that have a value of `metric`: which comes nearest to the bounds.
core::Error nothing_within(const db::Reader& reader, const db::Job& job,
                           const std::vector<db::Constraint>& bounds,
                           const std::vector<std::string>& needed) {
  std::vector<std::string> metrics = needed;
  for (const auto& bound : bounds) metrics.push_back(bound.metric);
  const auto values = reader.values(job.id, metrics);
  std::optional<std::size_t> nearest;
  double least = std::numeric_limits<double>::infinity();
  std::size_t judged = 0;
  for (std::size_t i = 0; i < values.architectures.size(); ++i) {
    const auto value = [&](std::size_t column) { return values.columns[column][i]; };
    bool complete = true;
    for (std::size_t k = 0; k < metrics.size(); ++k) complete = complete && !std::isnan(value(k));
    if (!complete) continue;
    ++judged;
    double sum = 0;
    for (std::size_t k = 0; k < bounds.size(); ++k)
      sum += excess(bounds[k], value(needed.size() + k));
    if (sum < least) {
      least = sum;
      nearest = i;
    }
  }
  if (!nearest)
    return core::Error("no network of job '" + job.name + "' was measured in " +
                           core::join(metrics) +
                           (is_done(job) ? "" : ", yet: it is not done (" + job.status + ")"),
                       how_to_see_all(reader, job) + " shows what there is" +
                           (is_done(job) || job.status == "running"
                                ? ""
                                : "; go on with: " + way_on(job, reader.path())));
  std::vector<std::string> missed;
  for (std::size_t k = 0; k < bounds.size(); ++k) {
    const double value = values.columns[needed.size() + k][*nearest];
    if (excess(bounds[k], value) == 0) continue;
    missed.push_back(bounds[k].metric + " = " + core::format_double(value) + ", beyond it by " +
                     core::rounded(std::abs(value - bounds[k].bound)));
  }
  const auto network = reader.networks(job.id, {values.architectures[*nearest]});
  return core::Error("no network of " + std::to_string(judged) + " keeps " + relations(bounds) +
                         ": the nearest, " + (network.empty() ? "?" : network[0].arch) + ", has " +
                         core::join(missed, " and "),
                     "loosen the bounds; " + how_to_see_all(reader, job) + " shows what there is");
}

/// Warns where a timing that its own note calls too long chose or shut out a network.
void warn_of_suspects(const db::Reader& reader, const db::Job& job,
                      const std::vector<db::Constraint>& bounds,
                      const std::vector<db::Network>& chosen) {
  const auto advice = ": " + job_command("remeasure", job.name, reader.path());
  std::size_t shut_out = 0;
  for (const auto& suspect : reader.suspects(job.id))
    shut_out += std::any_of(bounds.begin(), bounds.end(), [&](const auto& bound) {
      return bound.metric == suspect.measurement.metric &&
             excess(bound, suspect.measurement.value) > 0;
    });
  if (shut_out > 0)
    core::log_warning(
        std::to_string(shut_out) +
        " networks were left out for timings taken while the device was slow; measure "
        "them again" +
        advice);
  for (const auto& network : chosen)
    for (const auto& [metric, measurement] : network.metrics)
      if (measurement.suspect())
        core::log_warning(metric + " of " + network.arch + " is not to be trusted (" +
                          measurement.message + "); measure it again" + advice);
}

}  // namespace

std::optional<std::pair<db::Constraint, db::Constraint>> contradiction(
    const std::vector<db::Constraint>& bounds) {
  for (const auto& low : bounds)
    for (const auto& high : bounds)
      if (low.metric == high.metric && !low.upper && high.upper && low.bound > high.bound)
        return std::pair(low, high);
  return std::nullopt;
}

db::Constraint parse_bound(const std::string& text, bool upper) {
  const auto equals = text.find('=');
  const auto bound =
      equals == std::string::npos ? std::nullopt : core::parse_number(text.substr(equals + 1));
  if (equals == 0 || !bound)
    throw core::UsageError("'" + text + "' is no bound",
                           "write metric=number, such as latency_ms=2");
  return {text.substr(0, equals), upper, *bound};
}

std::string arch_of(const db::Reader& reader, const db::Job& job, const std::string& given) {
  if (const auto known = reader.network(job.id, given)) return known->arch;
  // Sixteen hexadecimal digits, one a letter at least: no architecture is written so.
  if (given.size() == 16 && given.find_first_not_of("0123456789abcdef") == std::string::npos &&
      given.find_first_of("abcdef") != std::string::npos)
    throw core::UsageError("job '" + job.name + "' knows no network with hash " + given,
                           how_to_see_all(reader, job) + " lists those that it has");
  return given;
}

std::vector<db::Network> choose(const db::Reader& reader, const db::Job& job,
                                const Selection& selection) {
  if (selection.metric.empty() && job.objectives.empty())
    throw core::UsageError("job '" + job.name + "' has no objective", "say what is best: --best");
  const auto metric = selection.metric.empty() ? job.objectives.front().metric : selection.metric;
  const auto bounds = bounds_of(selection, job);
  // A metric that was never measured is said first: which of its values are good is no question.
  const auto known = reader.metrics(job.id);
  const bool measured = std::find(known.begin(), known.end(), metric) != known.end();
  const bool maximise = measured && maximises(selection, job, metric);
  if (!measured && selection.metric.empty() && bounds.empty()) throw empty_front(reader, job);
  auto chosen = reader.best(job, {metric, maximise, bounds, selection.count});
  if (chosen.empty()) throw nothing_within(reader, job, bounds, {metric});
  warn_of_suspects(reader, job, bounds, chosen);
  return chosen;
}

std::string note_of(const db::Network& network) {
  std::vector<std::string> notes;
  for (const auto& [metric, measurement] : network.metrics)
    if (measurement.suspect()) notes.push_back(metric + ": " + measurement.message);
  return core::join(notes, "; ");
}

std::string failures_text(const db::Reader& reader, const db::Job& job) {
  constexpr std::size_t kMostKinds = 5;
  const auto failures = reader.failures(job.id);
  if (failures.empty()) return {};
  std::int64_t failed = 0;
  std::vector<std::string> kinds;
  for (const auto& failure : failures) {
    failed += failure.networks;
    if (kinds.size() < kMostKinds)
      kinds.push_back(core::printable(failure.message) + " (" + std::to_string(failure.networks) +
                      ")");
  }
  if (failures.size() > kMostKinds)
    kinds.push_back(std::to_string(failures.size() - kMostKinds) + " other reasons");
  const bool one_metric = std::all_of(failures.begin(), failures.end(), [&](const auto& failure) {
    return failure.metric == failures.front().metric;
  });
  return std::to_string(failed) +
         (one_metric ? " networks have no " + failures.front().metric
                     : " values could not be had") +
         ": " + core::join(kinds);
}

namespace {

/// "running, search 120/200, 3 min left".
std::string standing(const db::Reader& reader, const db::Job& job) {
  const auto far = how_far(reader, job);
  return job.status + (far.empty() ? "" : ", " + far);
}

}  // namespace

core::Error empty_front(const db::Reader& reader, const db::Job& recorded) {
  const auto job = as_it_stands(reader, recorded);
  const auto evaluated = reader.evaluation_count(job.id);
  if (evaluated == 0)
    return core::Error("job '" + job.name + "' has no front: no network is evaluated yet (phase '" +
                           job.phase + "', " + standing(reader, job) + ")",
                       job.status == "running"
                           ? "wait for its search, or go on with it if it was stopped: " +
                                 way_on(job, reader.path())
                           : "take it further with: mosaic run " + core::quoted(job.config_path) +
                                 " --db " + core::quoted(reader.path()));
  const auto objectives = core::mapped(job.objectives, &db::Objective::metric);
  const auto known = reader.metrics(job.id);
  std::vector<std::string> wanted = objectives;
  for (const auto& constraint : job.constraints) wanted.push_back(constraint.metric);
  for (const auto& metric : wanted)
    if (std::find(known.begin(), known.end(), metric) == known.end()) {
      const auto failures = failures_text(reader, job);
      return core::Error(
          "no network of " + std::to_string(evaluated) + " has a value of " + metric +
              (failures.empty() ? "" : ": " + failures),
          failures.empty() ? "it is not measured yet" : "mend what failed, and begin a new job");
    }
  return nothing_within(reader, job, job.constraints, objectives);
}

namespace {

/// The number in "validation images=180", as figures on validation examples are noted.
std::string examples_of(const std::string& fidelity) {
  const std::string key = "validation images=";
  const auto at = fidelity.find(key);
  if (at == std::string::npos) return {};
  const auto begin = at + key.size();
  return fidelity.substr(begin, fidelity.find(',', begin) - begin);
}

/// Says how uncertain figures on validation examples are, where a quarter of what sets the front's
/// networks apart is within two standard errors.
std::vector<std::string> noise(const db::Job& job, const std::vector<db::Network>& front) {
  std::vector<std::string> result;
  for (const auto& objective : job.objectives) {
    double errors = 0, count = 0;
    double least = std::numeric_limits<double>::infinity(), most = -least;
    std::string unit, examples;
    for (const auto& network : front) {
      const auto found = network.metrics.find(objective.metric);
      if (found == network.metrics.end() || examples_of(found->second.fidelity).empty()) continue;
      const auto& measured = found->second;
      examples = examples_of(measured.fidelity);
      unit = measured.unit;
      errors += measured.standard_error;
      ++count;
      least = std::min(least, measured.value);
      most = std::max(most, measured.value);
    }
    const double error = errors / count;
    if (count == 0 || !(2 * error > 0.25 * (most - least))) continue;
    char text[32];
    std::snprintf(text, sizeof text, "%.2g", error);
    result.push_back("each " + objective.metric + " has a standard error of " + text +
                     (unit.empty() ? "" : " " + unit) + ", from " + examples +
                     " validation examples: networks closer than that may stand in another order "
                     "on new data ([task] validation and [[objective]] examples make it smaller)");
  }
  return result;
}

}  // namespace

std::vector<std::string> remarks(const db::Reader& reader, const db::Job& job,
                                 const std::vector<db::Network>& front) {
  std::vector<std::string> result;
  if (auto text = failures_text(reader, job); !text.empty()) result.push_back(std::move(text));
  for (auto& text : noise(job, front)) result.push_back(std::move(text));
  const auto suspects = reader.suspects(job.id).size();
  if (suspects == 0) return result;
  const auto on_front = std::count_if(
      front.begin(), front.end(), [](const auto& network) { return !note_of(network).empty(); });
  result.push_back(std::to_string(suspects) + " timings, of them " + std::to_string(on_front) +
                   " on the front of " + std::to_string(front.size()) +
                   ", were taken while the device was slow: they are too long, and the front may "
                   "be another one. "
                   "Measure just those again: " +
                   job_command("remeasure", job.name, reader.path()));
  return result;
}

void comment_on(const db::Reader& reader, const db::Job& recorded,
                const std::vector<db::Network>& front) {
  const auto job = as_it_stands(reader, recorded);
  if (job.status != "finished" || job.phase != "done")
    core::log_info("job '" + job.name + "' is in phase '" + job.phase + "' (" +
                   standing(reader, job) + "): this front may change");
  for (const auto& remark : remarks(reader, job, front)) core::log_warning(remark);
}

}  // namespace mosaic::jobs
