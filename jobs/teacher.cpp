#include "teacher.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::jobs {
namespace {

using nlohmann::json;

std::string content_hash(const supernet::Subnet& network) {
  core::Hasher hasher;
  hasher.add(network.info().hash);
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    hasher.add(name).bytes(bytes.const_data_ptr(), bytes.nbytes());
  };
  for (const auto& [name, weight] : network.weights()) add(name, weight);
  for (const auto& [name, entry] : network.stats().entries()) {
    add(name + ".mean", entry.mean);
    add(name + ".variance", entry.variance);
  }
  return hasher.hex();
}

/// Do two lists of numbers agree, but for what another split of the same data makes of them?
bool about_equal(const json& a, const json& b) {
  if (!a.is_array() || !b.is_array()) return a == b;
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i].get<double>() - b[i].get<double>()) > 0.02) return false;
  return true;
}

/// Why the network cannot teach this task; empty: it can.
std::string misfit(const supernet::Subnet& network, const std::string& folder,
                   const tasks::Task& task) {
  const auto& own = network.info().shape;
  const auto& wanted = task.shape();
  if (spaces::to_string(own) != spaces::to_string(wanted) || own.causal != wanted.causal)
    return "it is a network for " + spaces::to_string(own) + ", and the task is " +
           spaces::to_string(wanted);
  for (std::size_t i = 0; i < wanted.inputs.size(); ++i) {
    const auto& its = own.inputs[i];
    const auto& port = wanted.inputs[i];
    if (its.range != port.range)
      return "it knows a vocabulary of " + std::to_string(its.range) +
             ", and the task has one of " + std::to_string(port.range);
    if (its.longest > 0 && its.longest < port.longest)
      return "it reads " + std::to_string(its.longest) + " of '" + port.name +
             "' at most, and the task has up to " + std::to_string(port.longest);
  }
  for (const auto& [name, content] : task.files()) {
    const auto path = (std::filesystem::path(folder) / name).string();
    if (!std::filesystem::exists(path) || core::read_file(path) != content)
      return "its vocabulary (" + name + ") is not the task's";
  }
  const json its = json::parse(network.info().preprocessing), ours = task.preprocessing();
  if (its.value("output", json()) != ours.value("output", json()))
    return "its outputs are not the task's: " + its.value("output", json()).dump() +
           " instead of " + ours.value("output", json()).dump();
  if (its.contains("image") && ours.contains("image"))
    for (const auto* key : {"mean", "deviation", "steps"})
      if (!about_equal(its["image"].value(key, json()), ours["image"].value(key, json())))
        return std::string("its images are prepared in another way (") + key + ")";
  return {};
}

}  // namespace

Teacher load_teacher(const std::string& folder, const tasks::Task& task,
                     const std::string& device) {
  constexpr const char* kAdvice =
      "give the folder of a network that mosaic extract wrote for the same task";
  if (!std::filesystem::is_directory(folder))
    throw core::UsageError("there is no folder '" + folder + "' with a teacher", kAdvice);
  std::shared_ptr<supernet::Subnet> network;
  try {
    network = std::make_shared<supernet::Subnet>(supernet::Subnet::load(folder));
  } catch (const core::Error& error) {
    throw core::UsageError("the teacher in " + folder + ": " + error.message(), error.advice());
  }
  if (const auto why = misfit(*network, folder, task); !why.empty())
    throw core::UsageError("the network in " + folder + " cannot teach: " + why, kAdvice);
  auto hash = content_hash(*network);
  network->to(device);
  return {std::move(network), std::move(hash)};
}

}  // namespace mosaic::jobs
