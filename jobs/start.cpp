#include "start.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"

namespace mosaic::jobs {
namespace {

constexpr const char* kState = "start";

/// The front of the job that start_job names.
std::vector<std::string> front_of(const db::Reader& database, const StartFile& start) {
  try {
    std::optional<db::Reader> other;
    if (!start.db.empty()) other.emplace(start.db);
    const db::Reader& reader = other ? *other : database;
    auto archs = core::mapped(reader.front(reader.job(start.job)), &db::Network::arch);
    if (archs.empty())
      throw core::UsageError(
          "job '" + start.job + "' in " + reader.path() + " has no front to begin from",
          "finish it first, or remove start_job");
    return archs;
  } catch (const core::Error& error) {
    throw core::UsageError(start.where_job + " = \"" + start.job + "\": " + error.message(),
                           error.advice());
  }
}

/// The text of a network with which the search may begin.
std::string checked_text(const Workplace& work, const std::string& arch) {
  const auto genotype = work.space->parse(arch);
  const auto& candidates = work.file.search.candidates;
  if (candidates && !candidates->find(genotype))
    throw core::UsageError(
        "'" + arch + "' is no network that " + work.table->csv().origin + " has all values of",
        "begin with networks of the table");
  return work.space->text(genotype);
}

/// Adds it unless it is there.
void take(std::vector<std::string>& archs, std::string text) {
  if (std::find(archs.begin(), archs.end(), text) == archs.end()) archs.push_back(std::move(text));
}

}  // namespace

std::vector<std::string> given_networks(const Workplace& work) {
  const StartFile& start = work.file.start;
  std::vector<std::string> archs;
  try {
    for (const auto& arch : start.archs) take(archs, checked_text(work, arch));
  } catch (const core::UsageError& error) {
    throw core::UsageError(start.where + ": " + error.message(), error.advice());
  }
  return archs;
}

std::vector<std::string> found_networks(const db::Reader& database, const Workplace& work) {
  const StartFile& start = work.file.start;
  auto archs = given_networks(work);
  if (start.job.empty()) return archs;
  const auto front = front_of(database, start);
  const auto most =
      static_cast<std::size_t>(std::min(work.file.search.population, work.file.search.evaluations));
  std::size_t unusable = 0;
  std::string why;
  for (const auto& arch : front) {
    if (archs.size() >= most) break;
    try {
      take(archs, checked_text(work, arch));
    } catch (const core::UsageError& error) {
      ++unusable;
      why = error.message();
    }
  }
  if (unusable == front.size())
    throw core::UsageError(start.where_job + ": the search cannot begin with any network of job '" +
                               start.job + "' (" + why + ")",
                           "begin from a job whose architectures this space can read");
  if (unusable > 0)
    core::log_warning(std::to_string(unusable) + " networks of job '" + start.job +
                      "' were left out: the search cannot begin with them (" + why + ")");
  return archs;
}

void keep_start(db::Database& database, const db::Job& job, const std::vector<std::string>& archs) {
  if (!archs.empty()) database.save_state(job.id, kState, nlohmann::json(archs).dump());
}

std::vector<std::string> begun_networks(const db::Reader& database, const db::Job& job,
                                        const Workplace& work) {
  if (work.file.start.archs.empty() && work.file.start.job.empty()) return {};
  if (const auto kept = database.state(job.id, kState)) return nlohmann::json::parse(*kept);
  return found_networks(database, work);
}

std::vector<spaces::Genotype> start_networks(db::Database& database, const db::Job& job,
                                             const Workplace& work) {
  const auto archs = begun_networks(database, job, work);
  if (archs.empty()) return {};
  if (!database.state(job.id, kState)) keep_start(database, job, archs);
  if (database.evaluation_count(job.id) == 0)
    core::log_info("the search begins with " + std::to_string(archs.size()) + " given networks");
  return core::mapped(archs, [&](const auto& arch) { return work.space->parse(arch); });
}

}  // namespace mosaic::jobs
