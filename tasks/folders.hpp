/// What messages say of the places where data should lie.
#pragma once

#include <filesystem>
#include <string>

namespace mosaic::tasks {

/// The path as it was given, and where that is: "photos (/home/ann/photos)".
std::string named(const std::string& path);

/// "photos/cat is a link to /mnt/cat, which does not exist"; empty where that is not so.
std::string broken_link(const std::filesystem::path& path);

/// Throws core::Error where `path` is no folder; `wanted` says what the folder should hold.
void expect_folder(const std::string& path, const std::string& wanted);

}  // namespace mosaic::tasks
