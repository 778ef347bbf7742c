#include "start.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "mosaic/core/error.hpp"
#include "mosaic/core/log.hpp"

namespace mosaic::cli {
namespace {

constexpr const char* kState = "start";

std::vector<std::string> front_of(const db::Reader& reader, const std::string& name) {
  std::vector<std::string> archs;
  for (const auto& network : reader.front(reader.job(name))) archs.push_back(network.arch);
  if (archs.empty())
    throw core::UsageError("job '" + name + "' in " + reader.path() + " has no front to begin from",
                           "finish it first, or remove start_job");
  return archs;
}

std::vector<std::string> find(const db::Database& database, const Workplace& work) {
  const StartFile& start = work.file.start;
  std::vector<std::string> archs;
  std::set<std::string> seen;
  const auto take = [&](const std::string& arch) {
    const std::string text = work.space->text(work.space->parse(arch));
    if (seen.insert(text).second) archs.push_back(text);
  };
  for (const auto& arch : start.archs) take(arch);
  if (start.job.empty()) return archs;
  const auto front =
      start.db.empty() ? front_of(database, start.job) : front_of(db::Reader(start.db), start.job);
  std::size_t unreadable = 0;
  std::string why;
  for (const auto& arch : front) {
    if (archs.size() >= static_cast<std::size_t>(work.file.search.population)) break;
    try {
      take(arch);
    } catch (const core::UsageError& error) {
      ++unreadable;
      why = error.message();
    }
  }
  if (unreadable == front.size())
    throw core::UsageError("no network of job '" + start.job + "' is one of the space " +
                               work.space->name() + " (" + why + ")",
                           "begin from a job whose architectures this space can read");
  if (unreadable > 0)
    core::log_warning(std::to_string(unreadable) + " networks of job '" + start.job +
                      "' are not of this space and were left out (" + why + ")");
  return archs;
}

}  // namespace

std::vector<spaces::Genotype> start_networks(db::Database& database, const db::Job& job,
                                             const Workplace& work) {
  if (work.file.start.archs.empty() && work.file.start.job.empty()) return {};
  std::vector<std::string> archs;
  if (const auto kept = database.state(job.id, kState)) {
    archs = nlohmann::json::parse(*kept).get<std::vector<std::string>>();
  } else {
    archs = find(database, work);
    database.save_state(job.id, kState, nlohmann::json(archs).dump());
    core::log_info("the search begins with " + std::to_string(archs.size()) + " given networks");
  }
  std::vector<spaces::Genotype> networks;
  for (const auto& arch : archs) networks.push_back(work.space->parse(arch));
  return networks;
}

}  // namespace mosaic::cli
