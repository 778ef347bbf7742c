/// Text that a user has: lines, and tables of labelled sentences; plain or .gz.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

/// The lines of a text file, without their ends. Throws core::Error for a missing or empty file,
/// and with file and line for text that is not UTF-8 and for a line that is too long to be a
/// sentence.
std::vector<std::string> read_lines(const std::string& path);

/// A table with a header: .csv as core::read_csv() takes it, .tsv separated by tabs, where quotes
/// mean nothing. Throws core::Error with file and line.
core::CsvTable read_table(const std::string& path);

/// What `path_of` gives for the one of these names, which mean the same split, that it gives a path
/// for; empty: there is none. Throws core::Error where there are several.
template <class PathOf>
std::string only_one(std::initializer_list<const char*> names, const PathOf& path_of) {
  std::vector<std::string> found;
  for (const char* name : names)
    if (auto path = path_of(name); !path.empty()) found.push_back(std::move(path));
  if (found.size() > 1)
    throw core::Error("which of them is the validation split: " + core::join(found) + "?",
                      "leave one of them in the folder");
  return found.empty() ? std::string() : found[0];
}

/// The one file of FOLDER that is called so: NAME.tsv, NAME.csv, or either with .gz. Empty: there
/// is none. Throws core::Error where there are several.
std::string find_table(const std::string& folder, const std::string& name);

}  // namespace mosaic::tasks
