#include "lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::db {

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

WriterLock::WriterLock(const std::string& path) {
  // Two names of one file (a link, a relative path) must lead to one lock.
  std::error_code ignored;
  const auto real = std::filesystem::weakly_canonical(path, ignored).string();
  const std::string name = (real.empty() ? path : real) + ".lock";
  // Closed on exec: a program that this process starts must not keep the lock alive.
  descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw core::Error("cannot write to " + path + ": its lock file " + name + " cannot be made (" +
                          std::strerror(errno) + ")",
                      "make the folder writable, or choose another place with --db");
  int result = 0;
  do {
    result = ::flock(descriptor_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    const int error = errno;
    char holder[32] = {};
    const auto size = ::pread(descriptor_, holder, sizeof holder - 1, 0);
    ::close(descriptor_);
    if (error != EWOULDBLOCK)
      throw core::Error("cannot lock " + name + " (" + std::strerror(error) + ")",
                        "put the database on a local disk with --db");
    const std::string pid(
        core::trim(std::string_view(holder, size > 0 ? static_cast<std::size_t>(size) : 0)));
    throw core::Error(
        path + " is being written by process " + (pid.empty() ? "(unknown)" : pid),
        "wait until it has finished or stop it (kill " + (pid.empty() ? "PID" : pid) +
            "), or use another database with --db; commands that only read work meanwhile");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // A lock without a number still locks: a full disk is found out when the database is written.
  if (::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, pid.data(), pid.size(), 0) < 0)
    return;
}

WriterLock::~WriterLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string network_file_system(long magic) {
  switch (static_cast<unsigned long>(magic) & 0xffffffffUL) {
    case 0x6969:
      return "NFS";
    case 0x517b:
    case 0xff534d42:
    case 0xfe534d42:
      return "SMB";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x00c36400:
      return "Ceph";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x7461636f:
      return "OCFS2";
    case 0x01161970:
      return "GFS2";
    case 0x01021997:
      return "9P";
    case 0xaad7aaea:
      return "PanFS";
    case 0x20030528:
      return "OrangeFS";
    case 0x73757245:
      return "Coda";
    default:
      return {};
  }
}

std::string network_file_system_of(const std::string& folder) {
  struct statfs info {};
  return ::statfs(folder.c_str(), &info) == 0 ? network_file_system(info.f_type) : std::string();
}

std::string network_advice(const std::string& path, const std::string& system, bool writing,
                           bool wal) {
  if (system.empty()) return {};
  const auto where = path + " lies on a network file system (" + system + ")";
  if (writing)
    return where +
           ", where SQLite's write-ahead log does not work: a rollback journal is used, and "
           "readers "
           "wait while results are written. A local disk is faster and safer (--db)";
  if (wal)
    return where +
           " and was last written with a write-ahead log, which only programs on one machine can "
           "share: what a machine writes now others may not see. Copy it to a local disk to read "
           "it "
           "(sqlite3 ... \".backup copy.db\" where it is written), or let the next writer be on "
           "this "
           "file system, which ends that";
  return {};
}

}  // namespace mosaic::db
