#include "mosaic/supernet/networks/subnet.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/mixing.hpp"
#include "engine/random_tensor.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/process.hpp"
#include "mosaic/spaces/merge.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"

namespace mosaic::supernet {
namespace {

using nlohmann::json;
constexpr const char* kFormat = "mosaic-subnet";
constexpr int kFormatVersion = 2;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

json info_json(const SubnetInfo& info) {
  return {{"space", {{"name", info.space}, {"options", info.space_options}}},
          {"arch", info.arch},
          {"hash", info.hash},
          {"job", info.job},
          {"task", {{"name", info.task}, {"settings", info.task_settings}}},
          {"data", spaces::to_json(info.shape)},
          {"preprocessing", json::parse(info.preprocessing)},
          {"passes", info.passes},
          {"checkpoint", info.checkpoint},
          {"provenance", info.provenance}};
}

SubnetInfo info_from(const json& object) {
  SubnetInfo info;
  info.space = object.at("space").at("name");
  info.space_options = object.at("space").at("options").get<std::map<std::string, std::string>>();
  info.arch = object.at("arch");
  info.hash = object.at("hash");
  info.job = object.at("job");
  info.task = object.at("task").at("name");
  info.task_settings = object.at("task").at("settings");
  if (object.at("format_version") == 1) {  // images, and a logit a class
    const auto& input = object.at("input");
    info.shape = spaces::image_task(input.at("shape").get<std::vector<std::int64_t>>(),
                                    object.at("task").at("classes"));
    info.preprocessing = json({{"image",
                                {{"steps", input.value("preprocessing", "")},
                                 {"mean", input.at("mean")},
                                 {"deviation", input.at("deviation")}}},
                               {"output", {{"class_names", object.at("task").at("class_names")}}}})
                             .dump();
  } else {
    info.shape = spaces::task_shape_from_json(object.at("data"));
    info.preprocessing = object.at("preprocessing").dump();
  }
  info.passes = object.at("passes");
  info.checkpoint = object.at("checkpoint");
  info.provenance = object.at("provenance");
  return info;
}

std::shared_ptr<const Program> compiled(const spaces::Graph& graph, bool attention) {
  const spaces::Graph* const one[] = {&graph};
  return std::make_shared<const Program>(
      Program::compile(one, "forward", /*training=*/false, attention));
}

}  // namespace

void own_slots(spaces::Graph& graph) {
  std::map<std::string, std::vector<std::int64_t>> sizes;
  for (const auto& node : graph.nodes)
    for (const auto& ref : node.weights) {
      auto& size = sizes.try_emplace(ref.slot, ref.active).first->second;
      for (std::size_t axis = 0; axis < size.size(); ++axis)
        size[axis] = std::max(size[axis], ref.active[axis]);
    }
  for (auto& node : graph.nodes)
    for (auto& ref : node.weights) ref.full = sizes.at(ref.slot);
}

Subnet::Subnet(spaces::Graph graph, std::map<std::string, at::Tensor> weights, NormStats stats,
               SubnetInfo info)
    : graph_(std::move(graph)),
      weights_(std::move(weights)),
      stats_(std::move(stats)),
      info_(std::move(info)) {
  for (const auto& node : graph_.nodes)
    for (const auto& ref : node.weights) {
      const auto found = weights_.find(ref.slot);
      if (found == weights_.end())
        throw core::Error("weight '" + ref.slot + "' is missing", "extract the network again");
      if (found->second.sizes() != at::IntArrayRef(ref.full))
        throw core::Error(
            "weight '" + ref.slot + "' does not have the shape that the network states",
            "config.json and model.safetensors belong to different networks: extract it again");
    }
}

at::Tensor Subnet::weight(const spaces::WeightRef& ref) const {
  return active_part(weights_.at(ref.slot), 0, ref);
}

at::Tensor Subnet::forward(const Inputs& inputs, NormMode mode, NormStats* stats) const {
  // Reading stored statistics never changes them.
  auto* used = stats ? stats : const_cast<NormStats*>(&stats_);
  if (!program_) program_ = compiled(graph_, /*attention=*/false);
  return execute(
      *program_, inputs, [this](const spaces::WeightRef& ref) { return weight(ref); }, mode,
      used)[0];
}

Outputs Subnet::with_attention(const Inputs& inputs) const {
  if (!with_attention_) with_attention_ = compiled(graph_, /*attention=*/true);
  return run_alone(
      *with_attention_, inputs, [this](const spaces::WeightRef& ref) { return weight(ref); },
      NormMode::stored, const_cast<NormStats*>(&stats_));
}

void Subnet::to(const std::string& device) {
  device_ = device;
  for (auto& [slot, weight] : weights_) weight = weight.detach().to(at::Device(device));
  stats_.to(device);
}

void Subnet::save(const std::string& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw core::Error("cannot make folder " + folder + ": " + error.message(),
                      "choose another --out");
  TensorFile file;
  file.tensors = weights_;
  for (const auto& [node, entry] : stats_.entries()) {
    file.tensors[node + ".running_mean"] = entry.mean;
    file.tensors[node + ".running_var"] = entry.variance;
  }
  file.metadata = {{"format", kFormat}, {"arch", info_.arch}};
  save_tensors(folder + "/model.safetensors", file);
  json config = info_json(info_);
  config["format"] = kFormat;
  config["format_version"] = kFormatVersion;
  config["mosaic"] = core::version();
  config["parameters"] = spaces::count_parameters(graph_);
  config["flops"] = spaces::count_flops(graph_, info_.shape.typical);
  config["graph"] = spaces::to_json(graph_);
  core::write_file_atomic(folder + "/config.json", config.dump(1) + "\n");
}

Subnet Subnet::load(const std::string& folder) {
  const std::string path = folder + "/config.json";
  if (!std::filesystem::exists(path))
    throw core::Error(folder + " holds no subnet: config.json is missing",
                      "give the folder that 'mosaic extract --out' wrote");
  json config;
  try {
    config = json::parse(core::read_file(path));
    if (config.at("format") != kFormat) throw core::Error("");
  } catch (const std::exception&) {
    throw core::Error(path + " is no description of a Mosaic subnet", "extract the network again");
  }
  if (config.value("format_version", 0) > kFormatVersion)
    throw core::Error(path + " was written by a newer version of Mosaic",
                      "update Mosaic to read it");
  try {
    spaces::Graph graph = spaces::graph_from_json(config.at("graph"));
    TensorFile file = load_tensors(folder + "/model.safetensors");
    std::map<std::string, at::Tensor> weights;
    NormStats stats;
    const std::string mean = ".running_mean";
    for (const auto& [name, tensor] : file.tensors) {
      if (ends_with(name, mean)) {
        const std::string node = name.substr(0, name.size() - mean.size());
        const auto variance = file.tensors.find(node + ".running_var");
        if (variance == file.tensors.end())
          throw core::Error(folder + "/model.safetensors lacks '" + node + ".running_var'",
                            "extract the network again");
        stats.set(node, {tensor, variance->second, 1});
      } else if (!ends_with(name, ".running_var")) {
        weights[name] = tensor;
      }
    }
    return Subnet(std::move(graph), std::move(weights), std::move(stats), info_from(config));
  } catch (const json::exception& error) {
    throw core::Error(path + " is malformed: " + error.what(), "extract the network again");
  }
}

MergedSubnet merged(const Subnet& subnet) {
  const at::NoGradGuard guard;
  std::vector<spaces::Merge> merges;
  spaces::Graph graph = spaces::merged(subnet.graph(), &merges);
  auto weights = subnet.weights();
  const auto read = [&](const spaces::WeightRef& ref) {
    return active_part(weights.at(ref.slot), 0, ref).to(at::kDouble);
  };
  for (const auto& merge : merges) {
    const at::Tensor second = read(merge.second);
    weights[merge.weight] = second.mm(read(merge.first)).to(at::kFloat);
    if (merge.bias.empty()) continue;
    at::Tensor bias = merge.first_bias.slot.empty() ? at::zeros({second.size(0)}, second.options())
                                                    : second.mv(read(merge.first_bias));
    if (!merge.second_bias.slot.empty()) bias = bias + read(merge.second_bias);
    weights[merge.bias] = bias.to(at::kFloat);
  }
  std::set<std::string> used;
  for (const auto& node : graph.nodes)
    for (const auto& ref : node.weights) used.insert(ref.slot);
  std::erase_if(weights, [&](const auto& own) { return !used.contains(own.first); });
  return {Subnet(std::move(graph), std::move(weights), subnet.stats(), subnet.info()),
          merges.size()};
}

Subnet random_subnet(const spaces::Graph& graph, std::uint64_t seed) {
  spaces::Graph own = graph;
  own_slots(own);
  std::map<std::string, at::Tensor> weights;
  NormStats stats;
  for (const auto& node : own.nodes) {
    for (const auto& ref : node.weights) {
      std::int64_t inputs = 1;
      for (std::size_t axis = 1; axis < ref.full.size(); ++axis) inputs *= ref.full[axis];
      weights[ref.slot] = normal_tensor(ref.full, std::sqrt(2.0 / static_cast<double>(inputs)),
                                        core::Stream(seed, ref.slot));
    }
    if (node.op == "batch_norm") {
      const auto channels = node.shape[0].value();
      stats.set(node.name, {at::zeros({channels}), at::ones({channels}), 1});
    }
  }
  return Subnet(std::move(own), std::move(weights), std::move(stats));
}

}  // namespace mosaic::supernet
