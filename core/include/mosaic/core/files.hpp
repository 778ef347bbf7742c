/// Whole-file input and output.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mosaic::core {

/// Content of a file. Throws Error (what is missing, what to do).
std::string read_file(const std::string& path);

/// Content of a file, decompressed if it is gzip. Throws Error for a truncated or corrupt stream.
std::string read_gzip(const std::string& path);

/// Replaces `path` in one step: temporary file beside it, fsync, rename, fsync of the folder. A
/// reader or a crash sees the old content or the new one, nothing between. Throws Error (disk full,
/// read-only folder); the temporary file is removed.
/// Reaches two crash points (process.hpp), before and after the rename.
void write_file_atomic(const std::string& path, std::string_view content);

/// Same, for content written piece by piece into the temporary file whose path `write` is given.
void write_file_atomic(const std::string& path,
                       const std::function<void(const std::string& temporary)>& write);

}  // namespace mosaic::core
