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
#include <iostream>
#include <memory>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core {

namespace {

namespace fs = std::filesystem;

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
              : code == EFBIG                  ? "raise the limit on the size of files (ulimit -f)"
              : code == ENAMETOOLONG           ? "choose a shorter name"
              : code == ENOENT                 ? "create the folder first"
                                               : "check the folder and its permissions");
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
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

void write_all(const std::string& path, int fd, std::span<const std::string_view> pieces) {
  for (std::string_view piece : pieces)
    while (!piece.empty()) {
      const ssize_t written = write(fd, piece.data(), piece.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_write(path, errno);
      piece.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// Writes to `place`, which `flags` open, on the way to `path`.
void write_to(const std::string& path, const std::string& place, int flags,
              std::span<const std::string_view> pieces) {
  Descriptor file(place, flags);
  if (!file.valid()) fail_write(path, errno);
  write_all(path, file.get(), pieces);
  if (!file.close()) fail_write(path, errno);
}

void sync(const std::string& path, const std::string& place, int flags) {
  const Descriptor file(place, flags);
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

/// What `path` leads to: the end of its chain of links, whether a file is there or not.
struct Place {
  fs::path path;
  int descriptor = -1;  ///< of this process, where it leads to one ("-", /dev/stdout, /dev/fd/3)
};

Place followed(const std::string& path) {
  if (path == "-") return {path, STDOUT_FILENO};
  const auto own = "/proc/" + std::to_string(getpid()) + "/fd";
  Place place{path};
  for (int links = 0;; ++links) {
    std::error_code error;
    const auto number = parse_integer(place.path.filename().native());
    if (number && fs::canonical(place.path.parent_path(), error) == own)
      return {place.path, static_cast<int>(*number)};
    if (!fs::is_symlink(place.path, error)) return place;
    if (links == 40) fail_write(path, ELOOP);
    const auto next = fs::read_symlink(place.path, error);
    if (error) fail_write(path, error.value());
    place.path = place.path.parent_path() / next;  // `next` alone where it begins with '/'
  }
}

/// What one of this process's descriptors leads to, behind what was printed to it so far.
void write_to_own(const std::string& path, int descriptor,
                  std::span<const std::string_view> pieces) {
  std::cout.flush();
  std::fflush(nullptr);
  const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail_write(path, errno);
  Descriptor file(copy);
  write_all(path, file.get(), pieces);
  if (!file.close()) fail_write(path, errno);
}

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
  write_file_atomic(path, std::span(&content, 1));
}

void write_file_atomic(const std::string& path, std::span<const std::string_view> pieces) {
  const Place place = followed(path);
  if (place.descriptor >= 0) return write_to_own(path, place.descriptor, pieces);
  struct stat status {};
  const bool there = stat(path.c_str(), &status) == 0;
  if (!there && errno != ENOENT) fail_write(path, errno);
  if (there && S_ISDIR(status.st_mode)) fail_write(path, EISDIR);
  // A device or a pipe is written to: to replace it would destroy it.
  if (there && !S_ISREG(status.st_mode)) return write_to(path, path, O_WRONLY, pieces);
  const std::string target = place.path.string();
  Temporary temporary(target);
  write_to(path, temporary.path(), O_WRONLY | O_CREAT | O_TRUNC, pieces);
  copy_mode(target, temporary.path());
  sync(path, temporary.path(), O_RDONLY);
  crash_point("file written, not yet in place");
  if (rename(temporary.path().c_str(), target.c_str()) != 0) fail_write(path, errno);
  temporary.release();
  const auto folder = place.path.parent_path().string();
  sync(path, folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  crash_point("file in place");
}

}  // namespace mosaic::core
