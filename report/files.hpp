/// The pages' HTML, CSS and JavaScript: the files of this folder, embedded by the build.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace mosaic::report {

/// Text of each file by its name ("plot.js").
const std::map<std::string, std::string, std::less<>>& files();

}  // namespace mosaic::report
