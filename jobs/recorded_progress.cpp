#include "recorded_progress.hpp"

#include <nlohmann/json.hpp>

namespace mosaic::jobs {

core::ProgressWatch recorded_progress(db::Database& database, std::int64_t job) {
  return core::ProgressWatch([&database, job](const core::ProgressState& state) {
    nlohmann::json json{{"label", state.label},
                        {"done", state.done},
                        {"total", state.total},
                        {"seconds_left", nullptr},
                        {"note", state.note}};
    if (state.seconds_left) json["seconds_left"] = *state.seconds_left;
    database.save_state(job, "progress", json.dump());
  });
}

}  // namespace mosaic::jobs
