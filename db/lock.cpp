#include "lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/writer.hpp"

namespace mosaic::db {

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

std::string real_path(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;  // as many as Linux follows
  std::error_code error;
  auto real = fs::absolute(path, error);
  if (error) return path;
  for (int i = 0; i < kMostLinks; ++i) {
    const auto target = fs::read_symlink(real, error);
    if (error) break;  // no link
    real = real.parent_path() / target;
  }
  const auto canonical = fs::weakly_canonical(real, error);
  return error ? real.string() : canonical.string();
}

namespace {

std::string lock_file(const std::string& path) { return real_path(path) + ".lock"; }

/// flock(), not waiting: 0, or why not.
int try_lock(int descriptor, int operation) {
  while (::flock(descriptor, operation | LOCK_NB) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

/// Number of the process that the lock file names; empty where it names none.
std::string holder_of(int descriptor) {
  char text[32] = {};
  const auto size = ::pread(descriptor, text, sizeof text - 1, 0);
  return std::string(
      core::trim(std::string_view(text, size > 0 ? static_cast<std::size_t>(size) : 0)));
}

}  // namespace

std::optional<std::int64_t> writer_of(const std::string& path) {
  const int descriptor = ::open(lock_file(path).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT ? std::nullopt : std::optional<std::int64_t>(0);
  const int error = try_lock(descriptor, LOCK_SH);
  const auto holder = core::parse_integer(holder_of(descriptor)).value_or(0);
  ::close(descriptor);
  return error == 0 ? std::nullopt : std::optional(holder);
}

WriterLock::WriterLock(const std::string& path) {
  const std::string name = lock_file(path);
  // Closed on exec: a program that this process starts must not keep the lock alive.
  descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw core::Error("cannot write to " + path + ": its lock file " + name + " cannot be made (" +
                          std::strerror(errno) + ")",
                      "make the folder writable, or choose another place with --db");
  int error = try_lock(descriptor_, LOCK_EX);
  // Who asks whether there is a writer holds the lock for an instant.
  for (int tries = 0; error == EWOULDBLOCK && tries < 5; ++tries) {
    ::usleep(20'000);
    error = try_lock(descriptor_, LOCK_EX);
  }
  if (error != 0) {
    const std::string pid = holder_of(descriptor_);
    ::close(descriptor_);
    if (error != EWOULDBLOCK)
      throw core::Error("cannot lock " + name + " (" + std::strerror(error) + ")",
                        "put the database on a local disk with --db");
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
  static const std::map<std::uint32_t, const char*> kNames{
      {0x6969, "NFS"},        {0x517b, "SMB"},        {0xff534d42, "SMB"},
      {0xfe534d42, "SMB"},    {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
      {0x00c36400, "Ceph"},   {0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"},
      {0x19830326, "BeeGFS"}, {0x7461636f, "OCFS2"},  {0x01161970, "GFS2"},
      {0x01021997, "9P"},     {0xaad7aaea, "PanFS"},  {0x20030528, "OrangeFS"},
      {0x73757245, "Coda"}};
  const auto found = kNames.find(static_cast<std::uint32_t>(magic));
  return found == kNames.end() ? "" : found->second;
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
           "readers wait while results are written. A local disk is faster and safer (--db)";
  if (wal)
    return where +
           " and was last written with a write-ahead log, which only programs on one machine can "
           "share: what a machine writes now others may not see. Copy it to a local disk to read "
           "it (sqlite3 ... \".backup copy.db\" where it is written), or let the next writer be on "
           "this file system, which ends that";
  return {};
}

}  // namespace mosaic::db
