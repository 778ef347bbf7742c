#include "mosaic/supernet/networks/supernet.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>

#include "engine/mixing.hpp"
#include "engine/random_tensor.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::supernet {
namespace {

double fan_in(const spaces::Slot& slot) {
  double result = 1;
  for (std::size_t axis = 1; axis < slot.shape.size(); ++axis)
    result *= static_cast<double>(slot.shape[axis]);
  return result;
}

/// Of the weights that a slot starts with.
double variance(const spaces::Slot& slot) {
  const double in = fan_in(slot);
  switch (slot.init) {
    case spaces::Init::xavier:
      return 2 / (in + static_cast<double>(slot.shape[0]));
    case spaces::Init::embedding:
      return 1 / in;
    case spaces::Init::small:
      return 0.02 * 0.02;
    default:
      return 2 / in;
  }
}

at::Tensor initial_copies(const spaces::Slot& slot, std::int64_t copies, std::uint64_t seed) {
  std::vector<std::int64_t> shape{copies};
  shape.insert(shape.end(), slot.shape.begin(), slot.shape.end());
  if (slot.init == spaces::Init::ones) return at::ones(shape);
  if (slot.init == spaces::Init::zeros) return at::zeros(shape);
  const double deviation = std::sqrt(variance(slot));
  const auto count = static_cast<double>(copies);
  const double own = copies > 1 ? 0.1 : 0.0;
  const at::Tensor shared = normal_tensor(slot.shape, deviation * std::sqrt(1 - own / count),
                                          core::Stream(seed, "slot " + slot.name));
  at::Tensor result = shared.unsqueeze(0).repeat_interleave(copies, 0);
  if (copies > 1)
    result += normal_tensor(shape, deviation * std::sqrt(own),
                            core::Stream(seed, "experts of " + slot.name));
  return result;
}

std::unique_ptr<Sharing> make_sharing(const spaces::SuperGraph& graph, std::size_t features,
                                      const SharingSettings& settings, std::uint64_t seed) {
  return sharing_kinds().at(settings.kind)(graph, features, settings, seed);
}

}  // namespace

WeightBank::WeightBank(const spaces::SuperGraph& graph, const Sharing& sharing, std::uint64_t seed)
    : parts_(sharing.parts()) {
  for (std::size_t i = 0; i < graph.slots.size(); ++i) {
    const auto& slot = graph.slots[i];
    const at::Tensor copies = initial_copies(slot, sharing.copies(i), seed);
    index_[slot.name] = i;
    for (std::int64_t part = 0; part < parts_; ++part)
      tensors_.emplace_back(name(slot.name, part), copies.clone().requires_grad_());
  }
}

WeightBank::WeightBank(const spaces::SuperGraph& graph, const Sharing& sharing,
                       const WeightBank& parent, const Ancestry& ancestry)
    : parts_(sharing.parts()) {
  at::NoGradGuard guard;
  for (std::size_t i = 0; i < graph.slots.size(); ++i) {
    const auto& slot = graph.slots[i].name;
    index_[slot] = i;
    for (std::int64_t part = 0; part < parts_; ++part) {
      const at::Tensor& old =
          parent.copies(slot, ancestry.parts.at(static_cast<std::size_t>(part)));
      at::Tensor mine = ancestry.copies.empty()
                            ? old.detach().clone()
                            : old.detach().index_select(
                                  0, at::tensor(ancestry.copies[i], at::kLong).to(old.device()));
      tensors_.emplace_back(name(slot, part), mine.requires_grad_());
    }
  }
}

const at::Tensor& WeightBank::copies(const std::string& slot, std::int64_t part) const {
  return tensors_[place(slot) * static_cast<std::size_t>(parts_) + static_cast<std::size_t>(part)]
      .second;
}

std::string WeightBank::name(const std::string& slot, std::int64_t part) const {
  return parts_ == 1 ? slot : "part" + std::to_string(part) + "." + slot;
}

Supernet::Supernet(const spaces::Space& space, const SharingSettings& sharing, std::uint64_t seed)
    : space_(space),
      settings_(sharing),
      seed_(seed),
      encoding_(space.graph()),
      sharing_(make_sharing(space.graph(), encoding_.size(), sharing, seed)),
      bank_(space.graph(), *sharing_, seed) {}

void Supernet::to(const std::string& device) {
  device_ = device;
  known_.clear();
  for (auto& [name, tensor] : parameters()) tensor.set_data(tensor.to(at::Device(device)));
}

const Supernet::Known& Supernet::known(const spaces::Genotype& genotype) const {
  constexpr std::size_t kKept = 4096;
  if (const auto found = known_.find(genotype); found != known_.end()) return *found->second;
  auto made = std::make_shared<Known>();
  auto code = encoding_(genotype);
  made->encoding =
      at::from_blob(code.data(), {1, static_cast<std::int64_t>(code.size())}, at::kFloat)
          .clone()
          .to(at::Device(device_));
  if (const at::Tensor bias = sharing_->bias(space_, genotype); bias.defined())
    made->bias = bias.unsqueeze(0).to(at::Device(device_));
  if (sharing_->parts() > 1) made->part = sharing_->part(space_.canonical(genotype));
  if (known_.size() >= kKept)
    std::erase_if(known_, [](const auto& entry) { return entry.second.use_count() == 1; });
  return *(known_[genotype] = std::move(made));
}

std::shared_ptr<const void> Supernet::keep_alive(const spaces::Genotype& genotype) const {
  (void)known(genotype);
  return known_.at(genotype);
}

const at::Tensor& Supernet::encoding(const spaces::Genotype& genotype) const {
  return known(genotype).encoding;
}

std::int64_t Supernet::part(const spaces::Genotype& genotype) const { return known(genotype).part; }

Mixes Supernet::mixes(const spaces::Genotype& genotype, bool training) const {
  const Known& known = this->known(genotype);
  Mixes result = sharing_->coefficients(known.encoding, known.bias, training);
  for (auto& mix : result.mixes) mix = mix.squeeze(0);  // of one architecture
  return result;
}

WeightSource Supernet::weights(const spaces::Genotype& genotype, const spaces::Graph& graph,
                               bool training) const {
  const Known& known = this->known(genotype);
  const Mixes mixes = sharing_->coefficients(known.encoding, known.bias, training);
  const auto of_one = mixed_weights(
      graph,
      [&](const std::string& slot) {
        return SlotCopies{bank_.copies(slot, known.part).unsqueeze(0),
                          mixes.of_slot[bank_.place(slot)]};
      },
      mixes.mixes);
  return [of_one](const spaces::WeightRef& ref) { return of_one(ref).squeeze(0); };
}

at::Tensor Supernet::forward(const spaces::Graph& graph, const spaces::Genotype& genotype,
                             const Inputs& inputs, NormMode mode, NormStats* stats) const {
  return execute(graph, "forward", inputs, weights(genotype, graph, mode == NormMode::batch), mode,
                 stats)[0];
}

Subnet Supernet::extract(const spaces::Genotype& genotype, const NormStats& stats) const {
  at::NoGradGuard guard;
  spaces::Graph graph = space_.bind(genotype);
  // Of each slot all that its nodes read together, as one reference.
  spaces::Graph owned = graph, whole = graph;
  own_slots(owned);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (std::size_t w = 0; w < graph.nodes[i].weights.size(); ++w)
      whole.nodes[i].weights[w].active = owned.nodes[i].weights[w].full;
  const auto source = weights(genotype, whole);
  std::map<std::string, at::Tensor> own;
  NormStats kept;
  for (const auto& node : whole.nodes) {
    for (const auto& ref : node.weights)
      if (auto& weight = own[ref.slot]; !weight.defined())
        weight = source(ref).contiguous().clone();
    if (const auto found = stats.entries().find(node.name); found != stats.entries().end())
      kept.set(node.name,
               {found->second.mean.clone(), found->second.variance.clone(), found->second.batches});
  }
  SubnetInfo info;
  info.space = space_.name();
  info.space_options = space_.options();
  info.arch = space_.text(genotype);
  info.hash = space_.hash(genotype);
  info.shape = space_.task();
  Subnet subnet(std::move(owned), std::move(own), std::move(kept), std::move(info));
  subnet.to(device_);
  return subnet;
}

Heritage Supernet::restructure(const std::string& split) {
  at::NoGradGuard guard;
  SharingSettings settings = settings_;
  settings.split = split;
  auto sharing = make_sharing(space_.graph(), encoding_.size(), settings, seed_);
  const Ancestry ancestry = sharing->ancestry(*sharing_);
  const auto rows_of = [&](std::vector<std::int64_t> rows) {
    return at::tensor(rows, at::kLong).to(at::Device(device_));
  };
  Heritage heritage;
  const auto inherit = [&](const std::string& name, const std::string& former,
                           const std::vector<std::int64_t>* rows) {
    const at::Tensor index = rows ? rows_of(*rows) : at::Tensor();
    heritage[name] = {former, [former, index](const auto& look_up) {
                        const at::Tensor old = look_up(former);
                        return index.defined() ? old.index_select(0, index) : old.clone();
                      }};
  };
  WeightBank bank(space_.graph(), *sharing, bank_, ancestry);
  for (std::size_t i = 0; i < space_.graph().slots.size(); ++i)
    for (std::int64_t part = 0; part < sharing->parts(); ++part) {
      const auto& slot = space_.graph().slots[i].name;
      inherit("bank." + bank.name(slot, part),
              "bank." + bank_.name(slot, ancestry.parts[static_cast<std::size_t>(part)]),
              ancestry.copies.empty() ? nullptr : &ancestry.copies[i]);
    }
  std::map<std::string, at::Tensor> former;
  for (const auto& [name, tensor] : sharing_->parameters()) former["router." + name] = tensor;
  for (const auto& [name, tensor] : sharing->parameters()) {
    const auto rows = ancestry.parameters.find(name);
    inherit("router." + name, "router." + name,
            rows == ancestry.parameters.end() ? nullptr : &rows->second);
    at::Tensor target = tensor;
    target.set_data(heritage.at("router." + name).take([&](const std::string& old) {
      return former.at(old).detach();
    }));
  }
  sharing_ = std::move(sharing);
  bank_ = std::move(bank);
  settings_ = settings;
  known_.clear();
  return heritage;
}

std::vector<Supernet::Trained> Supernet::trained() const {
  std::vector<Trained> result;
  const std::int64_t parts = sharing_->parts();
  for (const auto& [name, tensor] : bank_.tensors()) {
    const auto place = static_cast<std::int64_t>(result.size());  // parts of a slot follow it
    result.push_back({"bank." + name, tensor, static_cast<int>(place / parts), place % parts});
  }
  for (const auto& [name, tensor] : sharing_->parameters())
    result.push_back({"router." + name, tensor});
  return result;
}

NamedTensors Supernet::parameters() const {
  NamedTensors result;
  for (auto& own : trained()) result.emplace_back(std::move(own.name), own.value);
  return result;
}

NamedTensors Supernet::state() const {
  NamedTensors result;
  for (const auto& [name, tensor] : sharing_->state())
    result.emplace_back("router." + name, tensor);
  return result;
}

double Supernet::parameter_bytes() const {
  double bytes = 0;
  for (const auto& [name, tensor] : parameters()) bytes += static_cast<double>(tensor.nbytes());
  return bytes;
}

Subnet fresh_subnet(const spaces::Space& space, const spaces::Genotype& genotype,
                    std::uint64_t seed) {
  return Supernet(space, {.kind = "plain", .copies = 1}, seed).extract(genotype, {});
}

}  // namespace mosaic::supernet
