#include "training/checkpoint.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet {
namespace {

constexpr const char* kFormat = "mosaic-checkpoint";

CheckpointHeader header_of(const std::string& path, const TensorFile& file) {
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat)
    throw core::Error(path + " is no checkpoint of Mosaic",
                      "give the job's own folder, or delete the file");
  const auto number = [&](const char* key) { return std::stoll(file.metadata.at(key)); };
  const auto structure = file.metadata.find("structure");
  return {number("step"), number("steps"), number("pieces"), file.metadata.at("identity"),
          structure == file.metadata.end() ? "" : structure->second};
}

void expect(const CheckpointHeader& header, const std::string& path, const std::string& identity) {
  if (header.identity != identity)
    throw core::Error(
        path + " belongs to another training (space, task, sharing, settings or seed differ)",
        "restore the job file as it was, or give the job another name");
}

}  // namespace

bool copy_stored(const at::Tensor& stored, const at::Tensor& target) {
  at::Tensor fitting = stored;
  if (stored.dim() == target.dim() + 1 && stored.size(0) == 1)
    fitting = stored.squeeze(0);
  else if (target.dim() == stored.dim() + 1 && target.size(0) == 1)
    fitting = stored.unsqueeze(0);
  if (fitting.sizes() != target.sizes()) return false;
  at::Tensor to = target;
  to.copy_(fitting);
  return true;
}

CheckpointHeader read_header(const std::string& path) {
  return header_of(path, load_tensors(path));
}

void save_checkpoint(const std::string& path, const NamedTensors& parameters,
                     const Optimizer& optimizer, const CheckpointHeader& header) {
  TensorFile file;
  file.tensors = optimizer.state();
  for (const auto& [name, tensor] : parameters) file.tensors[name] = tensor;
  file.metadata = {{"format", kFormat},
                   {"step", std::to_string(header.step)},
                   {"steps", std::to_string(header.steps)},
                   {"pieces", std::to_string(header.pieces)},
                   {"identity", header.identity}};
  if (!header.structure.empty()) file.metadata["structure"] = header.structure;
  save_tensors(path, file);
}

CheckpointHeader load_checkpoint(const std::string& path, const NamedTensors& parameters,
                                 Optimizer* optimizer, const std::string& identity) {
  const TensorFile file = load_tensors(path);
  const CheckpointHeader header = header_of(path, file);
  expect(header, path, identity);
  at::NoGradGuard guard;
  for (const auto& [name, tensor] : parameters) {
    auto found = optimizer ? file.tensors.end() : file.tensors.find(average_name(name));
    if (found == file.tensors.end()) found = file.tensors.find(name);
    if (found == file.tensors.end() || !copy_stored(found->second, tensor))
      throw core::Error(path + " lacks the tensor '" + name + "' in the expected shape",
                        "train again");
  }
  if (optimizer) optimizer->load_state(file.tensors);
  return header;
}

std::int64_t load_checkpoint(const std::string& path, Supernet& supernet,
                             const std::string& identity) {
  if (const auto header = read_header(path);
      header.identity == identity && header.structure != supernet.sharing_settings().split &&
      !header.structure.empty())
    supernet.restructure(header.structure);
  NamedTensors tensors = supernet.parameters();
  for (const auto& named : supernet.state()) tensors.push_back(named);
  return load_checkpoint(path, tensors, nullptr, identity).step;
}

namespace {

/// Why tensors of a supernet are not given weights of another one.
enum Unfit { kAbsent, kCopies, kShape };
constexpr const char* kUnfit[] = {
    "that supernet has none of their names (another space, or another way of sharing)",
    "that supernet has another number of copies of them ([supernet] sharing, copies, routed)",
    "that supernet has them in other shapes (options of the space, or another task)"};

/// Gives a tensor that of another supernet; a stack of copies also the only one there.
std::optional<Unfit> give(const TensorFile& file, const Supernet::Trained& trained) {
  const auto& [name, own, slot, part] = trained;
  auto found = file.tensors.find(average_name(name));
  if (found == file.tensors.end()) found = file.tensors.find(name);
  if (found == file.tensors.end()) return kAbsent;
  at::Tensor stored = found->second, target = own;
  if (stored.dim() == own.dim() + 1 && stored.size(0) == 1) stored = stored.squeeze(0);
  if (stored.dim() != own.dim() || stored.sizes().slice(1) != own.sizes().slice(1)) return kShape;
  if (stored.size(0) != own.size(0) && (slot < 0 || stored.size(0) != 1)) return kCopies;
  stored = stored.to(own.device());
  // Copies that were all the same would leave whoever mixes them without gradient.
  target.copy_(stored.size(0) == own.size(0) ? stored : stored + (own - own.mean(0, true)));
  return std::nullopt;
}

}  // namespace

Begun begin_with(const std::string& path, Supernet& supernet) {
  const TensorFile file = load_tensors(path);
  (void)header_of(path, file);
  at::NoGradGuard guard;
  Begun begun;
  std::int64_t all = 0, given = 0, unfit[std::size(kUnfit)] = {};
  for (const auto& trained : supernet.trained()) {
    const auto why = give(file, trained);
    const auto size = trained.slot < 0 ? 0 : trained.value.numel();  // not of the sharing itself
    all += size;
    (why ? unfit[*why] : given) += size;
    begun.tensors += why ? 0 : 1;
  }
  const auto most = std::max_element(std::begin(unfit), std::end(unfit));
  if (*most > 0) begun.why = kUnfit[most - std::begin(unfit)];
  if (given == 0)
    throw core::Error(path + " has no weights that fit: " + begun.why,
                      "begin with a supernet of the same space and options");
  begun.share = static_cast<double>(given) / static_cast<double>(all);
  return begun;
}

std::string checkpoint_content(const std::string& path) {
  const TensorFile file = load_tensors(path);
  (void)header_of(path, file);
  return file.metadata.at("mosaic.content");
}

std::int64_t trained_steps(const std::string& path, const std::string& identity) {
  if (!std::filesystem::exists(path)) return 0;
  const auto header = read_header(path);
  expect(header, path, identity);
  return header.step;
}

bool training_complete(const std::string& path) {
  if (!std::filesystem::exists(path)) return false;
  const auto header = read_header(path);
  return header.step >= header.steps;
}

}  // namespace mosaic::supernet
