#include "mosaic/core/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

#include "mosaic/core/text.hpp"
#include "status_line.hpp"

namespace mosaic::core {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(30);
constexpr int kBarWidth = 24;

std::mutex status_mutex;
bool status_on_screen = false;  // guarded by status_mutex
std::atomic<Clock::rep> said_at{0};

std::mutex watch_mutex;
std::function<void(const ProgressState&)> watch;  // guarded by watch_mutex

constexpr auto kTellEvery = std::chrono::seconds(2);

void write_stderr(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

void put_status_line(const std::string& line, bool keep) {
  const std::lock_guard lock(status_mutex);
  write_stderr("\r\033[K" + line + (keep ? "\n" : ""));
  status_on_screen = !keep;
}

/// Leaves the bar where it is and goes on below it.
void release_status_line() {
  const std::lock_guard lock(status_mutex);
  if (status_on_screen) write_stderr("\n");
  status_on_screen = false;
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string bar(double share) {
  const auto filled = static_cast<std::size_t>(share * kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '-') + "]";
}

}  // namespace

void detail::erase_status_line() {
  const std::lock_guard lock(status_mutex);
  if (status_on_screen) write_stderr("\r\033[K");
  status_on_screen = false;
}

void detail::draw_status_line(const std::string& line) {
  put_status_line(line.substr(0, terminal_width() - 1), false);
}

bool detail::redraws_in_place() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

Clock::time_point detail::last_said() { return Clock::time_point(Clock::duration(said_at)); }
void detail::note_said() { said_at = Clock::now().time_since_epoch().count(); }

Progress::Progress(std::string label, std::int64_t total, std::int64_t already)
    : activity_(label),
      label_(std::move(label)),
      total_(total),
      start_(already),
      done_(already),
      terminal_(detail::redraws_in_place()),
      begin_(Clock::now()),
      drawn_(begin_),
      told_(begin_) {
  if (terminal_) draw(false);
}

Progress::~Progress() {
  if (!finished_ && terminal_) release_status_line();
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (finished_) return;
  done_ = done;
  note_ = note;
  const auto now = Clock::now();
  if (now - told_ >= kTellEvery) tell(false);
  if (terminal_) {
    if (now - drawn_ >= kRedrawEvery) draw(false);
    return;
  }
  // The line of 100 % belongs to finish(), which knows the total time.
  const int tenth =
      total_ > 0 ? static_cast<int>(std::min<std::int64_t>(done * 10 / total_, 9)) : 0;
  if (done >= total_) return;
  if (tenth > last_tenth_ || now - drawn_ >= kLineEvery) draw(false);
  last_tenth_ = std::max(last_tenth_, tenth);
}

void Progress::finish(const std::string& note) {
  if (finished_) return;
  if (!note.empty()) note_ = note;
  finished_ = true;
  if (told_ != begin_) tell(true);
  draw(true);
}

void Progress::tell(bool last) {
  told_ = Clock::now();
  const std::unique_lock lock(watch_mutex, std::try_to_lock);  // nobody waits to tell
  if (lock && watch) watch({label_, last ? total_ : done_, total_, seconds_left(), note_});
}

std::optional<double> Progress::seconds_left() const {
  if (done_ <= start_) return std::nullopt;
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  return static_cast<double>(std::max<std::int64_t>(total_ - done_, 0)) * elapsed /
         static_cast<double>(done_ - start_);
}

ProgressWatch::ProgressWatch(std::function<void(const ProgressState&)> see) {
  const std::lock_guard lock(watch_mutex);
  watch = std::move(see);
}

ProgressWatch::~ProgressWatch() {
  const std::lock_guard lock(watch_mutex);
  watch = nullptr;
}

void Progress::draw(bool last) {
  drawn_ = Clock::now();
  detail::note_said();
  if (!detail::shows_progress()) return;
  const double elapsed = std::chrono::duration<double>(drawn_ - begin_).count();
  const double share =
      total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0)
                 : 1.0;
  const std::string percent = std::to_string(static_cast<int>(share * 100)) + "%";
  const std::string count = with_commas(done_) + "/" + with_commas(total_);
  std::string time;
  if (last) {
    time = "took " + human_seconds(elapsed);
  } else if (const auto left = seconds_left()) {
    time = human_seconds(*left) + " left";
  }
  std::string line =
      label_ + (terminal_ ? " " + bar(share) + " " : ": ") + percent + " (" + count + ")";
  if (!time.empty()) line += ", " + time;
  if (!note_.empty()) line += ", " + note_;
  if (!terminal_) return write_stderr(line + "\n");
  activity_.say(line);
  put_status_line(line.substr(0, terminal_width() - 1), last);
}

}  // namespace mosaic::core
