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
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/evaluators/catalogue.hpp"
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

/// All networks of a job that have a number of their own, and where each stands in the columns.
class Networks {
 public:
  Networks(const db::Reader& database, const db::Job& job) {
    for (auto& network : database.networks(job.id)) {
      network.metrics.erase(kReferenceMetric);  // of the device, not of the network
      if (network.metrics.empty() && network.predicted.empty() && !network.evaluation) continue;
      all_.push_back(std::move(network));
    }
    std::stable_sort(all_.begin(), all_.end(), [](const db::Network& a, const db::Network& b) {
      if (a.evaluation && b.evaluation) return *a.evaluation < *b.evaluation;
      return a.evaluation.has_value() && !b.evaluation;
    });
    for (std::size_t i = 0; i < all_.size(); ++i) {
      by_id_.emplace(all_[i].architecture, i);
      by_arch_.emplace(all_[i].arch, i);
    }
  }

  const std::vector<db::Network>& all() const { return all_; }

  /// -1 where the job has no such network.
  std::int64_t index(const std::string& arch) const {
    const auto found = by_arch_.find(arch);
    return found == by_arch_.end() ? -1 : static_cast<std::int64_t>(found->second);
  }
  std::int64_t index(std::int64_t architecture) const {
    const auto found = by_id_.find(architecture);
    return found == by_id_.end() ? -1 : static_cast<std::int64_t>(found->second);
  }

 private:
  std::vector<db::Network> all_;
  std::unordered_map<std::int64_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_arch_;
};

/// Objectives first, then the usual costs, then the rest by name.
std::vector<std::string> metric_order(const Networks& networks, const db::Job& job) {
  std::set<std::string> present;
  for (const auto& network : networks.all()) {
    for (const auto& [name, measurement] : network.metrics) present.insert(name);
    for (const auto& [name, prediction] : network.predicted) present.insert(name);
  }
  std::vector<std::string> order;
  const auto take = [&](const std::string& name) {
    if (present.erase(name) > 0) order.push_back(name);
  };
  for (const auto& objective : job.objectives) take(objective.metric);
  for (const auto& [name, known] : evaluators::known_metrics({}))
    if (known.evaluator == "inherited" && known.info.maximise.value_or(false)) take(name);
  for (const char* usual : {kTimedMetric, "params", "flops"}) take(usual);
  order.insert(order.end(), present.begin(), present.end());
  return order;
}

Json metric_json(const Networks& networks, const std::string& name) {
  Json values = Json::array();
  Json errors = Json::array();
  Json predicted = Json::array();
  Json deviations = Json::array();
  Json notes = Json::object();  // of suspect values, by index
  bool has_errors = false;
  bool has_predicted = false;
  for (const auto& network : networks.all()) {
    const auto measured = network.metrics.find(name);
    const bool has_value = measured != network.metrics.end();
    values.push_back(has_value ? number(measured->second.value) : Json(nullptr));
    errors.push_back(has_value ? uncertainty(measured->second.standard_error) : Json(nullptr));
    if (has_value && measured->second.suspect())
      notes[std::to_string(&network - networks.all().data())] = measured->second.message;
    has_errors = has_errors || (has_value && measured->second.standard_error > 0);
    const auto guess = network.predicted.find(name);
    const bool has_guess = guess != network.predicted.end();
    predicted.push_back(has_guess ? number(guess->second.mean) : Json(nullptr));
    deviations.push_back(has_guess ? uncertainty(guess->second.deviation) : Json(nullptr));
    has_predicted = has_predicted || has_guess;
  }
  Json json{{"name", name}, {"values", std::move(values)}};
  if (!notes.empty()) json["notes"] = std::move(notes);
  if (has_errors) json["errors"] = std::move(errors);
  if (has_predicted) {
    json["predicted"] = std::move(predicted);
    json["deviations"] = std::move(deviations);
  }
  return json;
}

/// Agreement of each predicted metric with what was then measured; only metrics with both.
Json agreement_json(const Networks& networks, const std::vector<std::string>& metrics) {
  Json result = Json::array();
  for (const auto& metric : metrics) {
    std::vector<predictors::Prediction> predicted;
    std::vector<double> truth;
    std::set<std::string> names;
    for (const auto& network : networks.all()) {
      const auto measured = network.metrics.find(metric);
      const auto guess = network.predicted.find(metric);
      if (measured == network.metrics.end() || guess == network.predicted.end()) continue;
      if (!std::isfinite(guess->second.mean)) continue;
      predicted.push_back({guess->second.mean, guess->second.deviation});
      truth.push_back(measured->second.value);
      names.insert(guess->second.predictor);
    }
    if (truth.empty()) continue;
    const auto scores = predictors::score(predicted, truth);
    result.push_back({{"metric", metric},
                      {"records", scores.records},
                      {"mape", number(scores.mape)},
                      {"rmse", number(scores.rmse)},
                      {"kendall", number(scores.kendall)},
                      {"spearman", number(scores.spearman)},
                      {"coverage", number(scores.coverage)},
                      {"predictors", names}});
  }
  return result;
}

/// Each text once; the columns hold its place.
class Texts {
 public:
  std::int64_t place(const std::string& text) {
    const auto [found, fresh] = places_.emplace(text, static_cast<std::int64_t>(texts_.size()));
    if (fresh) texts_.push_back(text);
    return found->second;
  }
  Json take() { return std::move(texts_); }

 private:
  Json texts_ = Json::array();
  std::map<std::string, std::int64_t> places_;
};

/// Architectures repeat their parts, a hundred thousand of them a thousand times: each part stands
/// in `parts` once, and an architecture is the places of its parts between commas.
Json networks_json(const Networks& networks) {
  Texts parts;
  Json arch = Json::array();
  Json evaluation = Json::array();
  for (const auto& network : networks.all()) {
    auto& places = arch.emplace_back(Json::array());
    for (const auto& part : core::split(network.arch, ',')) places.push_back(parts.place(part));
    evaluation.push_back(network.evaluation ? Json(*network.evaluation) : Json(nullptr));
  }
  return {
      {"parts", parts.take()}, {"arch", std::move(arch)}, {"evaluation", std::move(evaluation)}};
}

Json generations_json(const db::Reader& database, const db::Job& job) {
  Json json{{"number", Json::array()},
            {"evaluations", Json::array()},
            {"hypervolume", Json::array()},
            {"front", Json::array()}};
  for (const auto& generation : database.generations(job.id)) {
    json["number"].push_back(generation.number);
    json["evaluations"].push_back(generation.evaluations);
    json["hypervolume"].push_back(number(generation.hypervolume));
    json["front"].push_back(generation.front.size());
  }
  return json;
}

/// The metrics a training step has, and how fast it went.
Json training_json(const db::Reader& database, const db::Job& job) {
  Json json{{"step", Json::array()},
            {"epoch", Json::array()},
            {"learning_rate", Json::array()},
            {"examples_per_second", Json::array()}};
  const auto curve = database.training_curve(job.id);
  std::set<std::string> metrics;
  for (const auto& point : curve) {
    json["step"].push_back(point.step);
    json["epoch"].push_back(number(point.epoch));
    json["learning_rate"].push_back(number(point.learning_rate));
    json["examples_per_second"].push_back(number(point.examples_per_second));
    for (const auto& [metric, value] : point.metrics) metrics.insert(metric);
  }
  json["metrics"] = Json::array();
  const auto add = [&](const std::string& metric) {
    Json values = Json::array();
    for (const auto& point : curve) {
      const auto found = point.metrics.find(metric);
      values.push_back(found == point.metrics.end() ? Json() : number(found->second));
    }
    json["metrics"].push_back({{"name", metric}, {"values", std::move(values)}});
  };
  if (metrics.erase("loss") > 0 || curve.empty()) add("loss");
  for (const auto& metric : metrics) add(metric);
  return json;
}

/// Timings of networks and of the reference network, in the order in which they were taken.
Json timings_json(const db::Reader& database, const db::Job& job, const Networks& networks) {
  auto taken = database.measurements(job.id, kTimedMetric);
  auto references = database.measurements(job.id, kReferenceMetric);
  taken.insert(taken.end(), references.begin(), references.end());
  std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) { return a.id < b.id; });

  Texts texts;
  Json json;
  json["metric"] = kTimedMetric;
  for (const char* column : {"network", "arch", "reference", "value", "error", "seconds", "device",
                             "fidelity", "message"})
    json[column] = Json::array();
  for (const auto& timed : taken) {
    const auto& measurement = timed.measurement;
    const auto network = networks.index(timed.arch);
    json["network"].push_back(network);
    json["arch"].push_back(network < 0 ? texts.place(timed.arch) : -1);
    json["reference"].push_back(measurement.metric == kReferenceMetric ? 1 : 0);
    json["value"].push_back(measurement.ok() ? number(measurement.value) : Json(nullptr));
    json["error"].push_back(measurement.ok() ? uncertainty(measurement.standard_error)
                                             : Json(nullptr));
    json["seconds"].push_back(uncertainty(measurement.seconds));
    json["device"].push_back(texts.place(measurement.device));
    json["fidelity"].push_back(texts.place(measurement.fidelity));
    json["message"].push_back(texts.place(measurement.message));
  }
  json["texts"] = texts.take();
  return json;
}

Json rows_json(const db::Table& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json object = Json::object();
    for (std::size_t c = 0; c < row.size(); ++c) {
      const auto& cell = row[c];
      if (cell.type == db::Table::Type::integer)
        object[table.columns[c]] = std::stoll(cell.text);
      else
        object[table.columns[c]] = cell.text;
    }
    rows.push_back(std::move(object));
  }
  return rows;
}

std::string objectives_text(const db::Job& job) {
  std::vector<std::string> parts;
  for (const auto& objective : job.objectives)
    parts.push_back(objective.metric + (objective.maximise ? " (max)" : " (min)"));
  return core::join(parts);
}

/// 2024-05-01T10:00:00Z -> 2024-05-01 10:00:00 UTC.
std::string date_text(std::string date) {
  if (date.size() != 20 || date[10] != 'T' || date.back() != 'Z') return date;
  date[10] = ' ';
  return date.substr(0, 19) + " UTC";
}

/// What the job is; names and values of everything needed to know where its numbers come from.
/// Numbers of 64 bits that a script cannot hold are texts.
Json job_json(const db::Job& job, bool has_models) {
  Json json{{"name", job.name},
            {"status", job.status},
            {"phase", job.phase},
            {"message", job.message},
            {"config", job.config},
            {"config_path", job.config_path},
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

/// metric_type() of every metric that the page names.
Json metric_types(const Json& page, const Networks& networks, const db::Job& job) {
  std::set<std::string> names = {page["timings"]["metric"]};
  for (const auto* list : {&page["job"]["objectives"], &page["job"]["constraints"],
                           &page["sources"], &page["failures"]})
    for (const auto& entry : *list) names.insert(entry["metric"]);
  for (const auto* list : {&page["metrics"], &page["training"]["metrics"]})
    for (const auto& entry : *list) names.insert(entry["name"]);
  Json types;
  for (const auto& name : names) {
    std::string unit;
    for (const auto& network : networks.all())
      if (const auto found = network.metrics.find(name); found != network.metrics.end()) {
        unit = found->second.unit;
        break;
      }
    types[name] = metric_type(name, job, unit);
  }
  return types;
}

/// Columns, not records: one list per quantity, null where there is no finite value. `networks`,
/// `metrics[].values` and the like run in parallel; `front` and `timings.network` are indices into
/// them.
Json page_json(const db::Reader& database, const db::Job& job,
               const std::vector<std::string>& remarks) {
  const auto front = database.front(job);  // before the networks: all of it is then among them
  const Networks networks(database, job);
  const auto metrics = metric_order(networks, job);
  const std::string of_job = " FROM measurements WHERE job = " + std::to_string(job.id);

  Json json{{"job", job_json(job, database.state(job.id, "trained").has_value())},
            {"remarks", remarks}};
  json["networks"] = networks_json(networks);
  json["metrics"] = Json::array();
  for (const auto& metric : metrics) json["metrics"].push_back(metric_json(networks, metric));
  json["front"] = Json::array();
  for (const auto& network : front)
    if (const auto i = networks.index(network.architecture); i >= 0) json["front"].push_back(i);

  json["agreement"] = agreement_json(networks, metrics);
  json["generations"] = generations_json(database, job);
  json["training"] = training_json(database, job);
  json["timings"] = timings_json(database, job, networks);
  json["sources"] = rows_json(
      database.query("SELECT metric, fidelity, device, sum(status = 'ok') AS good, "
                     "sum(status <> 'ok') AS failed" +
                     of_job + " GROUP BY metric, fidelity, device ORDER BY metric, min(id)"));
  json["failures"] = rows_json(
      database.query("SELECT metric, message, count(*) AS count" + of_job +
                     " AND status <> 'ok' GROUP BY metric, message ORDER BY count(*) DESC LIMIT "
                     "50"));
  json["metric_types"] = metric_types(json, networks, job);
  return json;
}

}  // namespace

std::string job_page(const db::Reader& database, const db::Job& job,
                     const std::vector<std::string>& remarks) {
  return page({.title = "Mosaic report",
               .sections = "job.html",
               .script = "job.js",
               .instead = "<code>mosaic front</code> prints the front as text."},
              job.name, page_json(database, job, remarks));
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
