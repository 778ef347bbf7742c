/// What `mosaic new` writes: the files of this folder, embedded by the build.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace mosaic::cli {

/// Text of each file by its name ("space.cpp.in").
const std::map<std::string, std::string, std::less<>>& files();

}  // namespace mosaic::cli
