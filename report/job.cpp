#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metrics.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/predictors/predictor.hpp"
#include "mosaic/report/report.hpp"
#include "page.hpp"

namespace mosaic::report {
namespace {

using Json = nlohmann::json;

Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  // Whole numbers without ".0": a parameter count is shorter so, and reads as what it is.
  if (value == std::floor(value) && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
  return value;
}

/// Of an uncertainty six digits are plenty.
Json uncertainty(double value) {
  if (!std::isfinite(value) || value == 0) return number(value);
  const double power = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  const double rounded = std::round(value * power) / power;
  return number(std::isfinite(rounded) ? rounded : value);
}

bool is_timing(const std::string& metric) {
  return metric == kTimedMetric || metric == kReferenceMetric;
}

/// The texts of a list of architectures repeat their parts, a hundred thousand of them a thousand
/// times: each part stands in `parts` once, and an architecture is the places of its parts between
/// commas.
Json networks_json(const db::Changes& changes) {
  std::unordered_map<std::string, std::size_t> places;
  Json json{{"parts", Json::array()},
            {"id", Json::array()},
            {"arch", Json::array()},
            {"hash", Json::array()}};
  for (const auto& network : changes.architectures) {
    json["id"].push_back(network.id);
    json["hash"].push_back(network.hash);
    Json arch = Json::array();
    for (const auto& part : core::split(network.arch, ',')) {
      const auto [found, fresh] = places.emplace(part, places.size());
      if (fresh) json["parts"].push_back(part);
      arch.push_back(found->second);
    }
    json["arch"].push_back(std::move(arch));
  }
  return json;
}

/// A value of null: it failed. `seconds`: of timings only, one after the other. `suspects`: rows
/// whose own note calls them too long.
Json measurements_json(const db::Changes& changes) {
  Json json{{"network", Json::array()}, {"how", Json::array()},     {"value", Json::array()},
            {"error", Json::array()},   {"seconds", Json::array()}, {"notes", Json::object()},
            {"suspects", Json::array()}};
  for (const auto& row : changes.measurements) {
    json["network"].push_back(row.architecture);
    json["how"].push_back(row.how);
    json["value"].push_back(row.ok ? number(row.value) : Json(nullptr));
    json["error"].push_back(row.ok ? uncertainty(row.standard_error) : Json(0));
    if (is_timing(changes.hows[row.how].metric))
      json["seconds"].push_back(uncertainty(row.seconds));
  }
  for (const auto& [row, message] : changes.notes) {
    json["notes"][std::to_string(row)] = message;
    if (changes.measurements[row].ok && message.find(core::kDeviceSlow) != std::string::npos)
      json["suspects"].push_back(row);
  }
  return json;
}

Json hows_json(const db::Changes& changes) {
  Json json = Json::array();
  for (const auto& how : changes.hows)
    json.push_back({{"metric", how.metric},
                    {"reference", how.metric == kReferenceMetric},
                    {"timing", is_timing(how.metric)},
                    {"fidelity", how.fidelity},
                    {"device", how.device}});
  return json;
}

Json predictions_json(const db::Changes& changes) {
  Json json{{"bys", Json::array()},
            {"network", Json::array()},
            {"by", Json::array()},
            {"mean", Json::array()},
            {"deviation", Json::array()}};
  for (const auto& by : changes.bys)
    json["bys"].push_back({{"metric", by.metric}, {"predictor", by.predictor}});
  for (const auto& row : changes.predictions) {
    json["network"].push_back(row.architecture);
    json["by"].push_back(row.by);
    json["mean"].push_back(number(row.mean));
    json["deviation"].push_back(uncertainty(row.deviation));
  }
  return json;
}

Json evaluations_json(const db::Changes& changes) {
  Json json{{"network", Json::array()}, {"number", Json::array()}};
  for (const auto& evaluation : changes.evaluations) {
    json["network"].push_back(evaluation.architecture);
    json["number"].push_back(evaluation.number);
  }
  return json;
}

/// Agreement of each predicted metric with what was then measured; only metrics with both.
Json agreement_json(const std::vector<db::Compared>& compared) {
  struct Pairs {
    std::vector<predictors::Prediction> predicted;
    std::vector<double> truth;
    std::set<std::string> names;
  };
  std::map<std::string, Pairs> metrics;
  for (const auto& one : compared) {
    auto& pairs = metrics[one.metric];
    pairs.predicted.push_back({one.mean, one.deviation});
    pairs.truth.push_back(one.value);
    pairs.names.insert(one.predictor);
  }
  Json result = Json::array();
  for (const auto& [metric, pairs] : metrics) {
    const auto scores = predictors::score(pairs.predicted, pairs.truth);
    result.push_back({{"metric", metric},
                      {"records", scores.records},
                      {"mape", number(scores.mape)},
                      {"rmse", number(scores.rmse)},
                      {"kendall", number(scores.kendall)},
                      {"spearman", number(scores.spearman)},
                      {"coverage", number(scores.coverage)},
                      {"predictors", pairs.names}});
  }
  return result;
}

Json generations_json(const db::Changes& changes) {
  Json json{{"number", Json::array()},
            {"evaluations", Json::array()},
            {"hypervolume", Json::array()},
            {"front", Json::array()}};
  for (const auto& generation : changes.generations) {
    json["number"].push_back(generation.number);
    json["evaluations"].push_back(generation.evaluations);
    json["hypervolume"].push_back(number(generation.hypervolume));
    json["front"].push_back(generation.front.size());
  }
  return json;
}

/// The metrics a training step has, and how fast it went.
Json training_json(const db::Changes& changes) {
  Json json{{"step", Json::array()},
            {"epoch", Json::array()},
            {"learning_rate", Json::array()},
            {"examples_per_second", Json::array()},
            {"metrics", Json::object()}};
  std::set<std::string> metrics;
  for (const auto& point : changes.training) {
    json["step"].push_back(point.step);
    json["epoch"].push_back(number(point.epoch));
    json["learning_rate"].push_back(number(point.learning_rate));
    json["examples_per_second"].push_back(number(point.examples_per_second));
    for (const auto& [metric, value] : point.metrics) metrics.insert(metric);
  }
  for (const auto& metric : metrics) {
    auto& values = json["metrics"][metric] = Json::array();
    for (const auto& point : changes.training) {
      const auto found = point.metrics.find(metric);
      values.push_back(found == point.metrics.end() ? Json() : number(found->second));
    }
  }
  return json;
}

std::string objectives_text(const db::Job& job) {
  std::vector<std::string> parts;
  for (const auto& objective : job.objectives)
    parts.push_back(objective.metric + (objective.maximise ? " (max)" : " (min)"));
  return core::join(parts);
}

/// How far a running job is, as its own process says it: {label, done, total, seconds_left, note};
/// null where it says nothing.
Json progress_json(const db::Reader& database, const db::Job& job) {
  if (job.status != "running") return nullptr;
  const auto said = database.state(job.id, "progress");
  auto json = said ? Json::parse(*said, nullptr, false) : Json();
  return json.is_object() ? json : Json();
}

/// Tells jobs apart that had the same name one after the other.
std::string identity(const db::Job& job) {
  std::string created;
  for (const char c : job.created)
    if (c >= '0' && c <= '9') created += c;
  return std::to_string(job.id) + "." + (created.empty() ? "0" : created);
}

/// 2024-05-01T10:00:00Z -> 2024-05-01 10:00:00 UTC.
std::string date_text(std::string date) {
  if (date.size() != 20 || date[10] != 'T' || date.back() != 'Z') return date;
  date[10] = ' ';
  return date.substr(0, 19) + " UTC";
}

/// What the job is; names and values of everything needed to know where its numbers come from.
/// Numbers of 64 bits that a script cannot hold are texts.
Json job_json(const db::Reader& database, const db::Job& job) {
  const bool has_models = database.state(job.id, "trained").has_value();
  Json json{
      {"name", job.name},
      {"status", job.status},
      {"phase", job.phase},
      {"message", job.message},
      {"config", job.config},
      {"config_path", job.config_path},
      {"has_models", has_models},
      {"options", "--db " + core::quoted(database.path()) +
                      (job.name.starts_with("-") ? " --job=" : " --job ") + core::quoted(job.name)},
      {"progress", progress_json(database, job)},
      {"objectives", Json::array()},
      {"constraints", Json::array()}};
  const std::vector<std::pair<const char*, std::string>> facts = {
      {"Space", job.space},
      {"Task", job.task},
      {"Objectives", objectives_text(job)},
      {"Device", job.device},
      {"Threads", job.threads > 0 ? std::to_string(job.threads) : ""},
      {"Seed", std::to_string(job.seed)},
      {"Phase", job.phase},
      {"Created", date_text(job.created)},
      {"Updated", date_text(job.updated)},
      {"Mosaic", job.version},
      {"Revision", job.revision},
      {"Libraries", job.libraries},
      {"Data checksum", job.data_checksum},
      {"Space hash", job.space_hash},
      {"Job hash", job.config_hash},
      {"Models", has_models ? job.folder : ""},
  };
  for (const auto& [name, value] : facts)
    if (!value.empty()) json["facts"].push_back({name, value});
  for (const auto& objective : job.objectives)
    json["objectives"].push_back({{"metric", objective.metric}, {"maximise", objective.maximise}});
  for (const auto& constraint : job.constraints)
    json["constraints"].push_back({{"metric", constraint.metric},
                                   {"upper", constraint.upper},
                                   {"bound", number(constraint.bound)}});
  return json;
}

/// metric_type() of every metric that these changes name.
Json metric_types(const db::Changes& changes, const db::Job& job) {
  std::map<std::string, std::string> units = {{kTimedMetric, ""}};
  for (const auto& objective : job.objectives) units.emplace(objective.metric, "");
  for (const auto& constraint : job.constraints) units.emplace(constraint.metric, "");
  for (const auto& by : changes.bys) units.emplace(by.metric, "");
  for (const auto& point : changes.training)
    for (const auto& [metric, value] : point.metrics) units.emplace(metric, "");
  for (const auto& how : changes.hows)
    if (!how.unit.empty() || !units.contains(how.metric)) units[how.metric] = how.unit;
  Json types;
  for (const auto& [metric, unit] : units) types[metric] = metric_type(metric, job, unit);
  return types;
}

/// The text form of a place among the rows of a job; "" is the beginning.
std::string cursor_text(const db::Job& job, const db::Cursor& cursor) {
  std::string text = identity(job);
  for (const auto value :
       {cursor.measurement, cursor.prediction, cursor.evaluation, cursor.step, cursor.generation})
    text += "." + std::to_string(value);
  return text;
}

/// The beginning, for a cursor of another job that had the same name.
db::Cursor read_cursor(const std::string& text, const db::Job& job) {
  if (text.empty()) return {};
  const auto parts = core::split(text, '.');
  std::vector<std::int64_t> values;
  for (const auto& part : parts)
    if (const auto value = core::parse_integer(part); value && *value >= -1)
      values.push_back(*value);
  if (parts.size() != 7 || values.size() != 7)
    throw core::UsageError("'" + text + "' is no place among the rows of a job",
                           "leave `since` out, or give the `cursor` of an earlier answer");
  if (!text.starts_with(identity(job) + ".")) return {};
  return {values[2], values[3], values[4], values[5], values[6]};
}

const PageKind kJobPage = {.title = "Mosaic report",
                           .sections = "job.html",
                           .scripts = {"store.js", "part.js", "network.js", "front.js", "job.js"},
                           .instead = "<code>mosaic front</code> prints the front as text."};
const PageKind kJobsPage = {.title = "Mosaic",
                            .sections = "jobs.html",
                            .scripts = {"part.js", "jobs.js"},
                            .instead = "<code>mosaic jobs</code> prints the jobs as text."};

}  // namespace

Json job_news(const db::Reader& database, const db::Job& job,
              const std::vector<std::string>& remarks, const std::string& since) {
  const db::Snapshot snapshot(database);
  const auto changes = database.changes(job.id, read_cursor(since, job));
  Json json{{"cursor", cursor_text(job, changes.cursor)},
            {"whole", changes.whole},
            {"job", job_json(database, job)},
            {"remarks", remarks},
            {"metric_types", metric_types(changes, job)},
            {"timed", kTimedMetric},
            {"networks", networks_json(changes)},
            {"hows", hows_json(changes)},
            {"measurements", measurements_json(changes)},
            {"predictions", predictions_json(changes)},
            {"evaluations", evaluations_json(changes)},
            {"generations", generations_json(changes)},
            {"training", training_json(changes)}};
  if (!changes.whole) json["job"].erase("config");
  if (!changes.whole && changes.measurements.empty() && changes.predictions.empty()) return json;
  json["front"] = Json::array();
  for (const auto& network : database.front(job)) json["front"].push_back(network.architecture);
  json["agreement"] = agreement_json(database.compared(job.id));
  return json;
}

Json jobs_news(const db::Reader& database, const std::vector<db::Job>& jobs) {
  const db::Snapshot snapshot(database);
  Json json = Json::array();
  for (const auto& job : jobs)
    json.push_back({{"name", job.name},
                    {"status", job.status},
                    {"phase", job.phase},
                    {"message", job.message},
                    {"space", job.space},
                    {"task", job.task},
                    {"device", job.device},
                    {"created", date_text(job.created)},
                    {"objectives", objectives_text(job)},
                    {"evaluations", database.evaluation_count(job.id)},
                    {"progress", progress_json(database, job)}});
  return {{"database", database.path()}, {"jobs", std::move(json)}};
}

std::string job_page(const db::Reader& database, const db::Job& job,
                     const std::vector<std::string>& remarks) {
  return page(kJobPage, job.name, job_news(database, job, remarks));
}

std::string live_job_page(const std::string& job) {
  return live_page(kJobPage, job, {{"job", job}});
}

std::string live_jobs_page(const std::string& database) {
  return live_page(kJobsPage, database, {{"database", database}});
}

void write_job_page(const db::Reader& database, const db::Job& job,
                    const std::vector<std::string>& remarks, const std::string& path) {
  core::write_file_atomic(path, job_page(database, job, remarks));
}

std::string job_page_path(const std::string& job, const std::string& db) {
  const std::filesystem::path path(db);
  return (path.parent_path() / (path.stem().string() + "-" + job + ".html")).string();
}

}  // namespace mosaic::report
