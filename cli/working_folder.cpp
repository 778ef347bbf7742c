// A working folder that was removed. MKL, which LibTorch brings, ends the process in one while it
// is loaded, with a message that blames a library: so this looks before any library is set up.
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <string_view>

namespace {

__attribute__((no_sanitize("address", "thread", "undefined"))) void expect_working_folder() {
  constexpr std::string_view kGone =
      "mosaic: the working folder does not exist any more\n"
      "        change to another one (cd) and give the command again\n";
  char folder[PATH_MAX];
  if (::syscall(SYS_getcwd, folder, sizeof folder) >= 0) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kGone.data(), kGone.size());
  ::_exit(1);
}

/// The loader calls what stands here first of all.
__attribute__((section(".preinit_array"), used)) void (*const kFirst)() = &expect_working_folder;

}  // namespace
