/// The one line of a terminal that a progress bar redraws in place. Private to this folder.
#pragma once

#include <chrono>
#include <string>

namespace mosaic::core::detail {

/// Wipes a bar that is on the screen, so that a message does not end up behind it; the bar comes
/// back with its next update.
void erase_status_line();

/// Shows a line that the next message, or the next bar, wipes. Only where redraws_in_place().
void draw_status_line(const std::string& line);

/// Whether standard error is a terminal whose last line can be written again.
bool redraws_in_place();

/// When a message or a bar was printed last; a status line is none.
std::chrono::steady_clock::time_point last_said();
/// It was now.
void note_said();

/// Whether the level of messages lets progress be seen: not where only warnings are wanted.
bool shows_progress();

}  // namespace mosaic::core::detail
