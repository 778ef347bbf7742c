#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "mosaic/core/describe.hpp"
#include "mosaic/core/process.hpp"

namespace mosaic::core {

namespace {

namespace fs = std::filesystem;

/// First word of a small file of the kernel as a number; none where there is none ("max", no file).
std::optional<double> kernel_number(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return std::nullopt;
  return parse_number(word);
}

/// The number behind `key` in a file of "key number" lines.
std::optional<double> kernel_field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    double value = 0;
    if (words >> word >> value && word == key) return value;
  }
  return std::nullopt;
}

/// The folders of this process's control group and of those around it, for version 2 (`controller`
/// empty) or for a controller of version 1. In a container only the outermost may be visible.
std::vector<fs::path> cgroup_folders(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  fs::path group;
  bool found = false;
  while (!found && std::getline(file, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto names = split(line.substr(first + 1, second - first - 1), ',');
    found = std::find(names.begin(), names.end(), controller) != names.end();
    if (found) group = line.substr(second + 1);
  }
  if (!found) return {};
  const fs::path mount = fs::path("/sys/fs/cgroup") / controller;
  std::vector<fs::path> folders;
  for (fs::path part = group.relative_path(); !part.empty(); part = part.parent_path())
    folders.push_back(mount / part);
  folders.push_back(mount);
  return folders;
}

double cpu_quota() {
  double cores = std::numeric_limits<double>::infinity();
  for (const auto& folder : cgroup_folders("")) {
    std::ifstream file(folder / "cpu.max");
    double quota = 0;
    double period = 0;
    if (file >> quota >> period && period > 0) cores = std::min(cores, quota / period);
  }
  for (const auto& folder : cgroup_folders("cpu")) {
    const auto quota = kernel_number(folder / "cpu.cfs_quota_us");
    const auto period = kernel_number(folder / "cpu.cfs_period_us");
    if (quota && period && *quota > 0 && *period > 0) cores = std::min(cores, *quota / *period);
  }
  return cores;
}

/// What a control group still grants: its limit less what is in use, page cache that can be dropped
/// not counted as used.
std::optional<double> room(const fs::path& folder, const char* limit_name, const char* usage_name,
                           std::string_view cache_key) {
  const auto limit = kernel_number(folder / limit_name);
  const auto usage = kernel_number(folder / usage_name);
  if (!limit || !usage) return std::nullopt;
  const double cache = kernel_field(folder / "memory.stat", cache_key).value_or(0);
  return std::max(0.0, *limit - std::max(0.0, *usage - cache));
}

}  // namespace

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (trim(std::string_view(line).substr(0, colon)) == "model name")
      return std::string(trim(std::string_view(line).substr(colon + 1)));
  }
  return "unknown processor";
}

int usable_cores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
  // Rounded down: a thread more than the quota pays for makes all of them wait.
  const double quota = cpu_quota();
  if (quota < cores) cores = static_cast<int>(std::floor(quota));
  return std::max(cores, 1);
}

double available_memory() {
  double bytes = kernel_field("/proc/meminfo", "MemAvailable:").value_or(0) * 1024;
  for (const auto& folder : cgroup_folders(""))
    if (const auto left = room(folder, "memory.max", "memory.current", "inactive_file"))
      bytes = std::min(bytes, *left);
  for (const auto& folder : cgroup_folders("memory"))
    if (const auto left =
            room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
      bytes = std::min(bytes, *left);
  return bytes;
}

}  // namespace mosaic::core
