#include "mosaic/core/files.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <iostream>

#include "capture.hpp"
#include "mosaic/core/csv.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/process.hpp"
#include "needs.hpp"

namespace core = mosaic::core;
using mosaic::test::Folder;
using mosaic::test::message_of;

namespace {

std::string gzipped(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  return core::read_file(path);
}

/// Text that does not compress to nothing.
std::string table_text() {
  std::string text = "i,square\n";
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "," + std::to_string(i * i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a file is replaced and read back byte by byte") {
  const Folder folder;
  const std::string path = folder / "a.bin";
  const std::string content("zero \0 and \xff\n", 13);
  core::write_file_atomic(path, "old, and longer than the new content");
  core::write_file_atomic(path, content);
  CHECK(core::read_file(path) == content);
  core::write_file_atomic(path, "");
  CHECK(core::read_file(path).empty());
  CHECK(folder.files() == 1);
}

TEST_CASE("files of the kernel, which have no size, can be read") {
  CHECK(core::read_file("/proc/self/status").substr(0, 5) == "Name:");
}

TEST_CASE("reading says what is missing") {
  CHECK(message_of<core::Error>([] { core::read_file("/nowhere/x"); }) ==
        "cannot read '/nowhere/x': No such file or directory: check the path");
  CHECK(message_of<core::Error>([] { core::read_file("/tmp"); }) ==
        "cannot read '/tmp': Is a directory: name a file, not a folder");
  CHECK(message_of<core::Error>([] { core::read_gzip("/nowhere/x.gz"); }) ==
        "cannot read '/nowhere/x.gz': No such file or directory: check the path");
  CHECK(message_of<core::Error>([] { core::read_gzip("/tmp"); }) ==
        "cannot read '/tmp': Is a directory: name a file, not a folder");
}

TEST_CASE("a replaced file keeps its permissions") {
  const Folder folder;
  const std::string path = folder / "a";
  core::write_file_atomic(path, "old");
  REQUIRE(chmod(path.c_str(), 0640) == 0);
  core::write_file_atomic(path, "new");
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("a file may be written from several pieces") {
  const Folder folder;
  const std::vector<std::string_view> pieces{"one ", "", "two"};
  core::write_file_atomic(folder / "a", pieces);
  CHECK(core::read_file(folder / "a") == "one two");
  CHECK(folder.files() == 1);
}

TEST_CASE("a link stays, and what it leads to is replaced in one step") {
  const Folder folder;
  std::filesystem::create_directory(folder / "shared");
  core::write_file_atomic(folder / "shared/real", "old");
  std::filesystem::create_symlink("shared/real", folder / "link");
  std::filesystem::create_symlink(folder / "link", folder / "link of link");
  struct stat before {
  }, after{};
  REQUIRE(stat((folder / "shared/real").c_str(), &before) == 0);
  core::write_file_atomic(folder / "link of link", "new");
  REQUIRE(stat((folder / "shared/real").c_str(), &after) == 0);
  CHECK(before.st_ino != after.st_ino);
  CHECK(core::read_file(folder / "shared/real") == "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(std::filesystem::is_symlink(folder / "link of link"));

  std::filesystem::create_symlink("later", folder / "dangling");
  core::write_file_atomic(folder / "dangling", "made");
  CHECK(std::filesystem::is_symlink(folder / "dangling"));
  CHECK(core::read_file(folder / "later") == "made");

  std::filesystem::create_symlink("round", folder / "round");
  CHECK(message_of<core::Error>([&] { core::write_file_atomic(folder / "round", "x"); }) ==
        "cannot write '" + (folder / "round") +
            "': Too many levels of symbolic links: check the folder and its permissions");
}

TEST_CASE("a pipe is written to, not replaced") {
  const Folder folder;
  const std::string path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  core::write_file_atomic(path, "through the pipe");
  char buffer[64] = {};
  CHECK(read(reader, buffer, sizeof buffer) == 16);
  CHECK(std::string(buffer) == "through the pipe");
  close(reader);
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  CHECK(S_ISFIFO(status.st_mode));
  CHECK(folder.files() == 1);
}

TEST_CASE("a device is written to, not replaced, and a full one says so") {
  const Folder folder;
  const std::string path = folder / "full";
  mosaic::need(mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 7)) == 0, mosaic::Need::kOther,
               "only root makes devices");
  const int usable = open(path.c_str(), O_WRONLY);
  mosaic::need(usable >= 0, mosaic::Need::kOther, "devices do not work on this file system");
  close(usable);
  CHECK(message_of<core::Error>([&] { core::write_file_atomic(path, "x"); }) ==
        "cannot write '" + path + "': No space left on device: free some space on that disk");
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK(folder.files() == 1);
}

TEST_CASE("standard output is written behind what was printed, whatever it is") {
  for (const std::string name : {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    CAPTURE(name);
    const Folder folder;
    const auto child = mosaic::test::run_child([&] {
      const int out = open((folder / "out").c_str(), O_WRONLY | O_CREAT, 0600);
      if (dup2(out, STDOUT_FILENO) != STDOUT_FILENO) _exit(1);
      std::cout << "first, ";
      core::write_file_atomic(name, "second, ");
      std::cout << "third" << std::flush;
    });
    CHECK(child.exited_with(0));
    CHECK(core::read_file(folder / "out") == "first, second, third");
    CHECK(folder.files() == 1);
  }
}

TEST_CASE("a full disk is reported and the old file stays") {
  const Folder folder;
  const std::string path = folder / "a";
  core::write_file_atomic(path, "old");
  // The limit on the size of files stands in for the disk.
  const auto child = mosaic::test::run_child([&] {
    core::install_interrupt_handler();  // without it, the signal ends the process
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      core::write_file_atomic(path, std::string(5000, 'x'));
    } catch (const core::Error& error) {
      std::fputs(error.what(), stderr);
    }
  });
  CHECK(child.text == "cannot write '" + path +
                          "': File too large: raise the limit on the size of files (ulimit -f)");
  CHECK(core::read_file(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("writing into a folder that is not there says so") {
  CHECK(message_of<core::Error>([] { core::write_file_atomic("/nowhere/a", "x"); }) ==
        "cannot write '/nowhere/a': No such file or directory: create the folder first");
  const Folder folder;
  std::filesystem::create_directory(folder / "sub");
  CHECK(message_of<core::Error>([&] { core::write_file_atomic(folder / "sub", "x"); }) ==
        "cannot write '" + (folder / "sub") +
            "': Is a directory: check the folder and its permissions");
}

TEST_CASE("gzip files and plain ones are read alike") {
  const Folder folder;
  const std::string text = table_text();
  gzipped(folder / "t.csv.gz", text);
  core::write_file_atomic(folder / "t.csv", text);
  CHECK(core::read_gzip(folder / "t.csv.gz") == text);
  CHECK(core::read_gzip(folder / "t.csv") == text);
  CHECK(core::read_csv(folder / "t.csv.gz").rows.size() == 20000);
}

TEST_CASE("a truncated gzip file is refused wherever it was cut") {
  const Folder folder;
  const std::string path = folder / "t.csv.gz";
  const std::string whole = gzipped(path, table_text());
  for (const std::size_t size : {whole.size() - 1, whole.size() - 9, whole.size() / 2,
                                 std::size_t{20}, std::size_t{12}, std::size_t{5}}) {
    INFO("the first " << size << " of " << whole.size() << " bytes");
    core::write_file_atomic(path, whole.substr(0, size));
    CHECK(message_of<core::Error>([&] { core::read_csv(path); }) ==
          "'" + path + "' is truncated: the gzip stream ends early: get the file again");
  }
}

TEST_CASE("a corrupt gzip file is refused") {
  const Folder folder;
  const std::string path = folder / "t.csv.gz";
  std::string whole = gzipped(path, table_text());
  whole[whole.size() - 5] = static_cast<char>(whole[whole.size() - 5] ^ 1);  // in the checksum
  core::write_file_atomic(path, whole);
  CHECK(message_of<core::Error>([&] { core::read_gzip(path); }) ==
        "'" + path + "' is corrupt: it is not a valid gzip stream: get the file again");
}
