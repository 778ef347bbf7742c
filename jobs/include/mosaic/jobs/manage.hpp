/// Databases as a whole: jobs that get another name or go, databases that become one.
#pragma once

#include <string>
#include <vector>

namespace mosaic::jobs {

/// Gives a job another name, in its copy of the job file as well; its folder follows where it is
/// named after the job and nobody else uses it (see delete_job()). Throws core::Error where the
/// name is taken, core::UsageError where it can be none, and core::Error while a process writes the
/// database.
void rename_job(const std::string& db, const std::string& from, const std::string& to);

struct Deleted {
  std::string folder;              ///< of the job's files; empty: it has none
  std::vector<std::string> files;  ///< that Mosaic wrote there
  double bytes = 0;                ///< of these files
  std::string shared;              ///< why others may use the folder; empty: it is the job's alone
  bool removed = false;            ///< with the job; never where others may use them
};
/// Removes a job with all that the database has of it; `with_files`: and the files that Mosaic
/// wrote into its folder (weights, predictors), never another one. Only a folder among the files of
/// this database's jobs ("r-files/" beside r.db) that no other job names is the job's alone: copied
/// and merged databases name those of others. Throws core::Error while a process writes the
/// database.
Deleted delete_job(const std::string& db, const std::string& name, bool with_files);

/// A job of one of the databases to merge gets another name in the merged one.
struct Renaming {
  std::string db, from, to;
};
/// Writes the jobs of several databases, with all that they have, into a new one, in this order.
/// Tables that a user added to the first one stay; those of the others are left out, with a
/// warning. The sources are read only and may be of an older schema; `out` appears when it is
/// whole. Gives the number of jobs. Throws core::UsageError where two have a job of one name, or
/// `out` is there, or the log of a database of that name.
std::size_t merge_databases(const std::vector<std::string>& sources, const std::string& out,
                            const std::vector<Renaming>& renamings);

}  // namespace mosaic::jobs
