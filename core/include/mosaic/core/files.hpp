/// Whole-file input and output.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mosaic::core {

/// Content of a file. Throws Error (what is missing, what to do).
std::string read_file(const std::string& path);

/// Content of a file, decompressed if it is gzip. Throws Error for a truncated or corrupt stream.
std::string read_gzip(const std::string& path);

/// Replaces `path` in one step: temporary file beside it, fsync, rename, fsync of the folder. A
/// reader or a crash sees the old content or the new one, nothing between. Throws Error (disk full,
/// read-only folder); the temporary file is removed. A link stays and what it leads to is replaced;
/// a device or a pipe is written to; "-" is standard output.
/// Reaches two crash points (process.hpp), before and after the rename.
void write_file_atomic(const std::string& path, std::string_view content);

/// Same, for content that lies in several places.
void write_file_atomic(const std::string& path, std::span<const std::string_view> pieces);

}  // namespace mosaic::core
