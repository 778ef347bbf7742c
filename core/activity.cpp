#include "mosaic/core/activity.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>
#include <vector>

#include "mosaic/core/log.hpp"
#include "mosaic/core/text.hpp"
#include "status_line.hpp"

namespace mosaic::core {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSilence = std::chrono::seconds(4);  // and a second until that is seen
constexpr auto kLineEvery = std::chrono::seconds(30);

struct Current {
  const Activity* key;
  std::string what;
  Clock::time_point since;
  bool told;  ///< as a line
};

std::mutex activities_mutex;
std::vector<Current> activities;  // guarded by activities_mutex

std::string seconds_since(Clock::time_point then) {
  return human_seconds(std::chrono::duration<double>(Clock::now() - then).count());
}

/// Says what goes on, where it is time to; `whole` where nothing is named.
void tell(Clock::duration silence, Current& whole) {
  const std::lock_guard lock(activities_mutex);
  const bool named = !activities.empty();
  auto& current = named ? activities.back() : whole;
  if (current.what.empty()) return;
  const auto line =
      current.what + (named ? ", " : " ") + seconds_since(current.since) + (named ? " so far" : "");
  if (named && detail::redraws_in_place()) return detail::draw_status_line(line);
  if (current.told && silence < kLineEvery) return;
  current.told = true;
  log_info(line + (named ? "" : " (Ctrl-C stops it)"));
}

}  // namespace

Activity::Activity(std::string what) {
  const std::lock_guard lock(activities_mutex);
  activities.push_back({this, std::move(what), Clock::now(), false});
}

Activity::~Activity() {
  {
    const std::lock_guard lock(activities_mutex);
    std::erase_if(activities, [&](const Current& current) { return current.key == this; });
  }
  detail::erase_status_line();
}

void Activity::say(const std::string& what) {
  const std::lock_guard lock(activities_mutex);
  for (auto& current : activities)
    if (current.key == this) current.what = what;
}

SignsOfLife::SignsOfLife() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);  // signals are for the threads that work
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  } catch (const std::system_error&) {  // no thread to be had: silence
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void SignsOfLife::watch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto begin = Clock::now();
  Current whole{nullptr, "still at work after", begin, false};
  while (!ended_.wait_for(lock, stop, std::chrono::seconds(1),
                          [&] { return stop.stop_requested(); })) {
    const auto silence = Clock::now() - std::max(begin, detail::last_said());
    if (silence >= kSilence && detail::shows_progress()) tell(silence, whole);
  }
}

}  // namespace mosaic::core
