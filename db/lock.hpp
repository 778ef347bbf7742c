/// Who may write a database, and where it lies.
#pragma once

#include <string>

namespace mosaic::db {

/// Holds `<path>.lock` (flock) while it lives. The kernel lets go of it when the process ends,
/// however it ends; the file stays, with the number of the process that held it last.
class WriterLock {
 public:
  /// Throws core::Error that names the holding process.
  explicit WriterLock(const std::string& path);
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  int descriptor_ = -1;
};

/// Name of the network file system with this magic number (statfs's f_type), or empty for others.
std::string network_file_system(long magic);

/// Name of the network file system that `folder` lies on, or empty.
std::string network_file_system_of(const std::string& folder);

/// What to tell who opens `path` on the network file system `system`: that readers wait for a
/// writer, or, where the file is still in write-ahead mode (`wal`), that a reader may miss what is
/// written elsewhere. Empty for other file systems.
std::string network_advice(const std::string& path, const std::string& system, bool writing,
                           bool wal);

/// Folder of a file ("." where it has none).
std::string folder_of(const std::string& path);

/// Full path of the file itself: links are followed, also one to a file that is not there yet. Its
/// log and its lock lie beside it, whatever name it is opened by.
std::string real_path(const std::string& path);

}  // namespace mosaic::db
