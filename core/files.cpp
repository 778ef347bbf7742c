#include "mosaic/core/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::core {

namespace {

constexpr std::size_t kChunk = 1 << 20;

[[noreturn]] void fail_read(const std::string& path, int code) {
  throw Error("cannot read '" + path + "': " + std::strerror(code),
              code == ENOENT   ? "check the path"
              : code == EISDIR ? "name a file, not a folder"
                               : "check the file and its permissions");
}

[[noreturn]] void fail_write(const std::string& path, int code) {
  throw Error("cannot write '" + path + "': " + std::strerror(code),
              code == ENOSPC || code == EDQUOT ? "free some space on that disk"
              : code == ENOENT                 ? "create the folder first"
                                               : "check the folder and its permissions");
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }
  /// Some file systems report a full disk only here.
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

void write_all(const std::string& path, std::string_view content) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.valid()) fail_write(path, errno);
  while (!content.empty()) {
    const ssize_t written = write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write(path, errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file.close()) fail_write(path, errno);
}

void sync(const std::string& path, int flags) {
  const Descriptor file(path, flags);
  if (!file.valid() || fsync(file.get()) != 0) fail_write(path, errno);
}

/// A name beside `path` that no other thread or process uses; removed unless renamed away.
class Temporary {
 public:
  explicit Temporary(const std::string& path) {
    static std::atomic<unsigned> count{0};
    path_ = path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(count++);
    unlink(path_.c_str());  // left by a killed process that had the same id
  }
  ~Temporary() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::string& path() const { return path_; }
  void release() { path_.clear(); }

 private:
  std::string path_;
};

/// A replaced file keeps its permissions.
void copy_mode(const std::string& from, const std::string& to) {
  struct stat status {};
  if (stat(from.c_str(), &status) == 0) chmod(to.c_str(), status.st_mode & 07777);
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.valid()) fail_read(path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail_read(path, errno);
  std::string content;
  // The size is a guess: /proc says 0, and a file may grow while it is read.
  content.resize(status.st_size > 0 ? static_cast<std::size_t>(status.st_size) + 1 : kChunk);
  std::size_t used = 0;
  while (true) {
    if (used == content.size()) content.resize(content.size() + kChunk);
    const ssize_t got = read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_read(path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

std::string read_gzip(const std::string& path) {
  errno = 0;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rbe"), &gzclose);
  if (!file) fail_read(path, errno != 0 ? errno : ENOMEM);
  gzbuffer(file.get(), kChunk / 4);
  std::string content;
  std::vector<char> buffer(kChunk);
  int got = 0;
  while ((got = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()))) > 0)
    content.append(buffer.data(), static_cast<std::size_t>(got));
  int code = Z_OK;
  gzerror(file.get(), &code);
  if (code == Z_ERRNO) fail_read(path, errno);
  // A stream that simply stops is no error of gzread, only a note left behind.
  if (code == Z_BUF_ERROR)
    throw Error("'" + path + "' is truncated: the gzip stream ends early", "get the file again");
  if (got < 0 || code < 0)
    throw Error("'" + path + "' is corrupt: it is not a valid gzip stream", "get the file again");
  return content;
}

void write_file_atomic(const std::string& path, std::string_view content) {
  write_file_atomic(path,
                    [content](const std::string& temporary) { write_all(temporary, content); });
}

void write_file_atomic(const std::string& path,
                       const std::function<void(const std::string& temporary)>& write) {
  if (std::filesystem::is_directory(path)) fail_write(path, EISDIR);
  Temporary temporary(path);
  write(temporary.path());
  copy_mode(path, temporary.path());
  sync(temporary.path(), O_RDONLY);
  crash_point("file written, not yet in place");
  if (rename(temporary.path().c_str(), path.c_str()) != 0) fail_write(path, errno);
  temporary.release();
  const auto folder = std::filesystem::path(path).parent_path().string();
  sync(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  crash_point("file in place");
}

}  // namespace mosaic::core
