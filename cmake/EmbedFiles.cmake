# cmake -DOUTPUT=files.cpp -DFILES="a.js;b.css" -P EmbedFiles.cmake
# Writes the function that report/files.hpp declares: the files as text, by name.

set(entries "")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME)
  string(APPEND entries "      {\"${name}\", R\"~~~(${text})~~~\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Written by cmake/EmbedFiles.cmake.
#include \"files.hpp\"

namespace mosaic::report {

const std::map<std::string, std::string, std::less<>>& files() {
  static const std::map<std::string, std::string, std::less<>> all = {
${entries}  };
  return all;
}

}  // namespace mosaic::report
")
