// Fronts and constrained bests, from columns of latest values.

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "columns.hpp"
#include "front.hpp"
#include "impl.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/pareto.hpp"
#include "mosaic/core/text.hpp"
#include "rows.hpp"

namespace mosaic::db {
namespace {

using Point = std::vector<double>;

constexpr auto kNeverNumbered = std::numeric_limits<std::int64_t>::max();

/// Conditions of the index measurements_good, word for word: SQLite uses it only so.
constexpr const char* kValueUpTo =
    "SELECT value FROM measurements INDEXED BY measurements_good WHERE job = ? AND metric = ? "
    "AND architecture = ? AND status = 'ok' AND value IS NOT NULL AND id <= ? "
    "ORDER BY id DESC LIMIT 1";
constexpr const char* kFirstValue =
    "SELECT value FROM measurements INDEXED BY measurements_good WHERE job = ? AND metric = ? "
    "AND architecture = ? AND status = 'ok' AND value IS NOT NULL ORDER BY id LIMIT 1";

bool keeps(const Constraint& constraint, double value) {
  // NaN keeps no bound.
  return constraint.upper ? value <= constraint.bound : value >= constraint.bound;
}

/// What a job's front depends on: objectives and constrained metrics of every network, by place.
class Columns {
 public:
  Columns(Connection& connection, const Job& job) : connection_(connection), job_(job) {
    for (const auto& objective : job.objectives) index_.push_back(load(objective.metric));
    for (const auto& constraint : job.constraints) index_.push_back(load(constraint.metric));
    for (const auto& column : values_) size_ = std::max(size_, column.size());
    for (auto& column : values_) column.resize(size_, std::numeric_limits<double>::quiet_NaN());
  }

  std::size_t size() const { return size_; }

  /// Costs of a network of which every objective was measured and which is feasible.
  bool costs(std::size_t place, Point& costs) const {
    const auto objectives = job_.objectives.size();
    for (std::size_t k = 0; k < job_.constraints.size(); ++k)
      if (!keeps(job_.constraints[k], values_[index_[objectives + k]][place])) return false;
    for (std::size_t k = 0; k < objectives; ++k) {
      const double value = values_[index_[k]][place];
      if (std::isnan(value)) return false;
      costs[k] = job_.objectives[k].maximise ? -value : value;
    }
    return true;
  }

  /// Gives a network the values that were known up to measurement `known`.
  void go_back(std::size_t place, std::int64_t architecture, std::int64_t known) {
    for (std::size_t k = 0; k < values_.size(); ++k) {
      auto row = connection_.prepare(kValueUpTo, job_.id, metrics_[k], architecture, known);
      if (row.step()) {
        values_[k][place] = row.real(0);
        continue;
      }
      auto first = connection_.prepare(kFirstValue, job_.id, metrics_[k], architecture);
      if (first.step()) values_[k][place] = first.real(0);
    }
  }

 private:
  std::size_t load(const std::string& metric) {
    const auto known = std::find(metrics_.begin(), metrics_.end(), metric);
    if (known != metrics_.end()) return static_cast<std::size_t>(known - metrics_.begin());
    metrics_.push_back(metric);
    values_.push_back(read_column(connection_, job_.id, metric));
    return metrics_.size() - 1;
  }

  Connection& connection_;
  const Job& job_;
  std::vector<std::string> metrics_;
  std::vector<std::vector<double>> values_;
  std::vector<std::size_t> index_;  ///< column of each objective, then of each constraint
  std::size_t size_ = 0;
};

/// Evaluations up to a number, as places.
struct Numbered {
  struct Evaluation {
    std::int64_t number;
    std::int64_t architecture;
    std::size_t place;
    bool replaced;
  };
  std::vector<Evaluation> evaluations;  ///< by number; without those of which nothing was measured
  /// By number from 1: the last measurement when that number was given, where that is known.
  std::vector<std::optional<std::int64_t>> known;

  /// Last measurement before evaluation `at` + 1 was numbered; none: all that there is.
  std::optional<std::int64_t> known_after(std::int64_t at) const {
    if (at < 0) at = 0;
    return at < static_cast<std::int64_t>(known.size()) ? known[static_cast<std::size_t>(at)]
                                                        : std::nullopt;
  }
};

Numbered read_numbered(Connection& connection, std::int64_t job, std::int64_t last) {
  const auto members = read_members(connection, job);
  std::unordered_map<std::int64_t, std::size_t> places;
  places.reserve(members.architectures.size());
  for (std::size_t i = 0; i < members.architectures.size(); ++i)
    places.emplace(members.architectures[i], i);
  Numbered numbered;
  auto rows = connection.prepare(
      "SELECT number, architecture, known FROM evaluations WHERE job = ?1 AND number <= ?2 "
      "ORDER BY number",
      job, last == kNeverNumbered ? last : last + 1);
  while (rows.step()) {
    numbered.known.push_back(rows.null(2) ? std::nullopt : std::optional(rows.integer(2)));
    if (rows.integer(0) > last) break;
    const auto place = places.find(rows.integer(1));
    if (place == places.end()) continue;
    numbered.evaluations.push_back(
        {rows.integer(0), rows.integer(1), place->second, members.replaced[place->second]});
  }
  return numbered;
}

struct Candidate {
  std::int64_t architecture;
  std::int64_t found;  ///< evaluation number; the last of all where it has none
  Point costs;
};

/// Of `count` networks, of which `place_of(i)` tells the place: those that nothing dominates, equal
/// ones all of them, as indices.
template <class PlaceOf>
std::vector<std::pair<std::size_t, Point>> undominated(const Job& job, const Columns& columns,
                                                       std::size_t count, PlaceOf place_of) {
  FrontBuilder front(job.objectives.size());
  Point costs(job.objectives.size());
  std::vector<std::pair<std::size_t, Point>> kept;  // while it lasted
  for (std::size_t i = 0; i < count; ++i)
    if (columns.costs(place_of(i), costs) && front.add(costs)) kept.emplace_back(i, costs);
  std::erase_if(kept, [&](const auto& one) { return !front.contains(one.second); });
  return kept;
}

std::vector<Candidate> candidates(Connection& connection, const Job& job, const Columns& columns) {
  std::vector<Candidate> result;
  for (auto& [place, costs] :
       undominated(job, columns, columns.size(), [](std::size_t i) { return i; })) {
    auto row = connection.prepare(
        "SELECT m.architecture, e.number FROM members m LEFT JOIN evaluations e "
        "ON e.job = m.job AND e.architecture = m.architecture WHERE m.job = ? AND m.place = ?",
        job.id, static_cast<std::int64_t>(place));
    if (row.step())
      result.push_back(
          {row.integer(0), row.null(1) ? kNeverNumbered : row.integer(1), std::move(costs)});
  }
  return result;
}

std::vector<Candidate> candidates(const Job& job, const Columns& columns,
                                  const Numbered& numbered) {
  const auto& evaluations = numbered.evaluations;
  std::vector<Candidate> result;
  for (auto& [i, costs] : undominated(job, columns, evaluations.size(),
                                      [&](std::size_t k) { return evaluations[k].place; }))
    result.push_back({evaluations[i].architecture, evaluations[i].number, std::move(costs)});
  return result;
}

}  // namespace

std::vector<Network> Reader::front(const Job& job, std::optional<std::int64_t> at) const {
  const Snapshot snapshot(*this);
  if (job.objectives.empty()) return {};
  impl_->complete_columns();
  auto& connection = *impl_->connection;
  Columns columns(connection, job);
  std::vector<Candidate> found;
  std::optional<std::int64_t> known;
  if (at) {
    const auto numbered = read_numbered(connection, job.id, *at);
    known = numbered.known_after(*at);
    for (const auto& evaluation : numbered.evaluations)
      if (known && evaluation.replaced)
        columns.go_back(evaluation.place, evaluation.architecture, *known);
    found = candidates(job, columns, numbered);
  } else {
    found = candidates(connection, job, columns);
  }
  // Of equal ones the first found stays.
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(a.found, a.architecture) < std::pair(b.found, b.architecture);
  });
  std::vector<Network> result;
  for (const auto index : core::pareto_front(core::mapped(found, &Candidate::costs))) {
    const auto id = found[index].architecture;
    result.push_back(std::move(load_networks(connection, job.id, id, known).at(id)));
  }
  return result;
}

std::vector<std::vector<Point>> Reader::front_points(
    const Job& job, const std::vector<std::int64_t>& evaluations) const {
  const Snapshot snapshot(*this);
  std::vector<std::vector<Point>> result;
  if (evaluations.empty() || job.objectives.empty())
    return std::vector<std::vector<Point>>(evaluations.size());
  impl_->complete_columns();
  Columns columns(*impl_->connection, job);
  const auto numbered = read_numbered(*impl_->connection, job.id, evaluations.back());
  FrontBuilder settled(job.objectives.size());  // of networks with one value each
  std::vector<Numbered::Evaluation> replaced;   // whose values depend on when one looks
  Point costs(job.objectives.size());
  auto next = numbered.evaluations.begin();
  for (const auto at : evaluations) {
    for (; next != numbered.evaluations.end() && next->number <= at; ++next) {
      if (next->replaced)
        replaced.push_back(*next);
      else if (columns.costs(next->place, costs))
        settled.add(costs);
    }
    auto front = settled;
    for (const auto& evaluation : replaced) {
      columns.go_back(evaluation.place, evaluation.architecture,
                      numbered.known_after(at).value_or(kNeverNumbered));
      if (columns.costs(evaluation.place, costs)) front.add(costs);
    }
    result.push_back(front.points());
  }
  return result;
}

std::vector<std::string> Reader::metrics(std::int64_t job) const {
  const Snapshot snapshot(*this);
  impl_->complete_columns();
  std::vector<std::string> result;
  auto rows =
      impl_->connection->prepare("SELECT metric FROM series WHERE job = ? ORDER BY metric", job);
  while (rows.step()) result.push_back(rows.text(0));
  return result;
}

std::vector<Network> Reader::best(const Job& job, const Best& wanted) const {
  const Snapshot snapshot(*this);
  auto& connection = *impl_->connection;
  const auto known = metrics(job.id);
  const auto column = [&](const std::string& metric) {
    if (std::find(known.begin(), known.end(), metric) == known.end())
      throw core::UsageError(
          "job '" + job.name + "' has no good measurement of '" + metric + "'",
          known.empty() ? "nothing was measured yet" : "measured: " + core::join(known));
    return read_column(connection, job.id, metric);
  };
  const auto values = column(wanted.metric);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) places.push_back(i);
  for (const auto& bound : wanted.bounds) {
    const auto bounded = column(bound.metric);
    std::erase_if(places,
                  [&](std::size_t i) { return i >= bounded.size() || !keeps(bound, bounded[i]); });
  }
  // What decides, in this order; among equals what is unknown comes last.
  std::vector<Objective> order = {{wanted.metric, wanted.maximise}};
  for (const auto& objective : job.objectives)
    if (objective.metric != wanted.metric) order.push_back(objective);
  order.push_back({"params", false});
  std::vector<std::vector<double>> costs;
  for (const auto& criterion : order) {
    if (std::find(known.begin(), known.end(), criterion.metric) == known.end()) continue;
    auto& cost = costs.emplace_back(read_column(connection, job.id, criterion.metric));
    cost.resize(values.size(), std::numeric_limits<double>::quiet_NaN());
    for (double& value : cost)
      value = std::isnan(value)    ? std::numeric_limits<double>::infinity()
              : criterion.maximise ? -value
                                   : value;
  }
  std::vector<std::int64_t> numbers(values.size(), kNeverNumbered);
  for (const auto& evaluation : read_numbered(connection, job.id, kNeverNumbered).evaluations)
    if (evaluation.place < numbers.size()) numbers[evaluation.place] = evaluation.number;
  const auto count = static_cast<std::ptrdiff_t>(std::min(wanted.count, places.size()));
  std::partial_sort(places.begin(), places.begin() + count, places.end(),
                    [&](std::size_t a, std::size_t b) {
                      for (const auto& cost : costs)
                        if (cost[a] != cost[b]) return cost[a] < cost[b];
                      return std::pair(numbers[a], a) < std::pair(numbers[b], b);
                    });
  std::vector<std::int64_t> ids;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    auto row =
        connection.prepare("SELECT architecture FROM members WHERE job = ? AND place = ?", job.id,
                           static_cast<std::int64_t>(places[static_cast<std::size_t>(i)]));
    if (row.step()) ids.push_back(row.integer(0));
  }
  return networks(job.id, ids);
}

std::vector<Network> Reader::networks(std::int64_t job,
                                      const std::vector<std::int64_t>& architectures) const {
  const Snapshot snapshot(*this);
  std::vector<Network> result;
  for (const auto id : architectures)
    for (auto& [key, network] : load_networks(*impl_->connection, job, id))
      result.push_back(std::move(network));
  return result;
}

Reader::Values Reader::values(std::int64_t job, const std::vector<std::string>& metrics) const {
  const Snapshot snapshot(*this);
  impl_->complete_columns();
  Values result;
  result.architectures = read_members(*impl_->connection, job).architectures;
  for (const auto& metric : metrics) {
    result.columns.push_back(read_column(*impl_->connection, job, metric));
    result.columns.back().resize(result.architectures.size(),
                                 std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

std::vector<Reader::Named> Reader::measured_networks(std::int64_t job) const {
  const Snapshot snapshot(*this);
  impl_->complete_columns();
  std::vector<Named> result;
  auto rows = impl_->connection->prepare(
      "SELECT a.id, a.arch FROM members m CROSS JOIN architectures a ON a.id = m.architecture "
      "WHERE m.job = ? ORDER BY m.place",
      job);
  while (rows.step()) result.push_back({rows.integer(0), rows.text(1)});
  return result;
}

}  // namespace mosaic::db
