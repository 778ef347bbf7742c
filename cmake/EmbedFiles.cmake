# cmake -DOUTPUT=files.cpp -DHEADER=report/files.hpp -DNAMESPACE=mosaic::report -DFILES="a.js;b.css" -P EmbedFiles.cmake
# Writes the function files() that the header declares: the files as text, by name.

set(entries "")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME)
  string(APPEND entries "      {\"${name}\", R\"~~~(${text})~~~\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Written by cmake/EmbedFiles.cmake.
#include \"${HEADER}\"

namespace ${NAMESPACE} {

const std::map<std::string, std::string, std::less<>>& files() {
  static const std::map<std::string, std::string, std::less<>> all = {
${entries}  };
  return all;
}

}  // namespace ${NAMESPACE}
")
