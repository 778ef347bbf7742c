/// The one line of a terminal that a progress bar redraws in place. Private to this folder.
#pragma once

namespace mosaic::core::detail {

/// Wipes a bar that is on the screen, so that a message does not end up behind it; the bar comes
/// back with its next update.
void erase_status_line();

/// Whether the level of messages lets progress be seen: not where only warnings are wanted.
bool shows_progress();

}  // namespace mosaic::core::detail
