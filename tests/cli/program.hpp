/// Runs the built `mosaic` program as a user does.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace mosaic::cli::test {

struct Outcome {
  int status = 0;      ///< exit status; 128 + signal if it was killed
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A folder of its own, removed at the end, in which the program runs.
class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("mosaic_cli_" + name + "_" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
  }

  /// Starts the program; finish() waits for it.
  pid_t start(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment = {}) const {
    const pid_t child = fork();
    if (child != 0) return child;
    if (chdir(path_.c_str()) != 0) _exit(126);
    const auto redirect = [](const char* file, int descriptor) {
      const int opened = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
      if (opened < 0 || dup2(opened, descriptor) < 0) _exit(126);
    };
    redirect("stdout.txt", 1);
    redirect("stderr.txt", 2);
    for (const auto& [key, value] : environment) setenv(key.c_str(), value.c_str(), 1);
    const char* program = std::getenv("MOSAIC_BINARY");
    std::vector<char*> argv{const_cast<char*>(program)};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(program, argv.data());
    _exit(127);
  }
  Outcome finish(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            slurp(path_ / "stdout.txt"), slurp(path_ / "stderr.txt")};
  }
  Outcome run(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment = {}) const {
    return finish(start(arguments, environment));
  }

 private:
  std::filesystem::path path_;
};

inline bool has_fashion_mnist() {
  const char* data = std::getenv("MOSAIC_DATA_DIR");
  return std::filesystem::exists("/usr/share/datasets/fashion-mnist") ||
         (data && std::filesystem::exists(std::filesystem::path(data) / "fashion-mnist"));
}

}  // namespace mosaic::cli::test
