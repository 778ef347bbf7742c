// Mixture-of-supernets (Jawahar et al. 2023, arXiv 2306.04845): soft mixtures of copies by a small
// MLP of the architecture, per layer or per output neuron.
#include <ATen/ATen.h>

#include <map>

#include "engine/random_tensor.hpp"
#include "mosaic/supernet/sharing/sharing.hpp"
#include "sharing/slots.hpp"

namespace mosaic::supernet {
namespace {

/// Sharing groups of a graph: which slots are mixed by which MLP.
struct Groups {
  std::vector<std::string> names;
  std::vector<int> of_slot;  ///< -1: plainly shared

  int add(const std::string& name) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return static_cast<int>(i);
    names.push_back(name);
    return static_cast<int>(names.size()) - 1;
  }
};

/// Hidden layers of all groups' MLPs as one batched product: [A, F] -> [groups, A, hidden].
struct HiddenLayers {
  at::Tensor weight;  ///< [groups, F, hidden]
  at::Tensor bias;    ///< [groups, 1, hidden]

  HiddenLayers(std::int64_t groups, std::int64_t features, std::int64_t hidden,
               std::uint64_t seed) {
    const double deviation = features > 0 ? std::sqrt(2.0 / static_cast<double>(features)) : 0.0;
    weight =
        normal_tensor({groups, features, hidden}, deviation, core::Stream(seed, "router hidden"))
            .requires_grad_();
    bias = at::zeros({groups, 1, hidden}).requires_grad_();
  }
  at::Tensor operator()(const at::Tensor& encodings) const { return of(encodings, weight, bias); }
  /// Of several networks too, whose parameters are stacked: [networks, groups, A, hidden].
  static at::Tensor of(const at::Tensor& encodings, const at::Tensor& weight,
                       const at::Tensor& bias) {
    return at::relu(at::matmul(encodings.unsqueeze(0), weight) + bias);
  }
};

/// The output layers start small, so that the first mixtures are nearly even.
double output_deviation(std::int64_t hidden) {
  return 0.1 / std::sqrt(static_cast<double>(hidden));
}

/// r = softmax(V2 relu(V1 phi(a) + c1) + c2) in R^m, one MLP per group.
class LayerWise : public Sharing {
 public:
  LayerWise(Groups groups, std::int64_t features, const SharingSettings& settings,
            std::uint64_t seed)
      : groups_(std::move(groups)),
        copies_(settings.copies),
        hidden_(static_cast<std::int64_t>(groups_.names.size()), features, settings.hidden, seed) {
    const auto count = static_cast<std::int64_t>(groups_.names.size());
    weight_ = normal_tensor({count, settings.hidden, copies_}, output_deviation(settings.hidden),
                            core::Stream(seed, "router output"))
                  .requires_grad_();
    bias_ = at::zeros({count, 1, copies_}).requires_grad_();
  }

  std::int64_t copies(std::size_t slot) const override {
    return groups_.of_slot[slot] < 0 ? 1 : copies_;
  }

  Mixes coefficients(const at::Tensor& encodings, const at::Tensor&, bool) const override {
    return {at::softmax(at::matmul(hidden_(encodings), weight_) + bias_, -1).unbind(),
            groups_.of_slot};
  }

  std::optional<Mixes> joint_coefficients(const std::vector<at::Tensor>& p,
                                          const at::Tensor& encoding) const override {
    const at::Tensor hidden = HiddenLayers::of(encoding, p[0], p[1]);
    return Mixes{at::softmax(at::matmul(hidden, p[2]) + p[3], -1).squeeze(2).unbind(1),
                 groups_.of_slot};
  }

  NamedParameters parameters() const override {
    return {{"hidden.weight", hidden_.weight},
            {"hidden.bias", hidden_.bias},
            {"output.weight", weight_},
            {"output.bias", bias_}};
  }

 private:
  Groups groups_;
  std::int64_t copies_;
  HiddenLayers hidden_;
  at::Tensor weight_;  ///< [groups, hidden, m]
  at::Tensor bias_;    ///< [groups, 1, m]
};

/// R = row_softmax(reshape(MLP(phi(a)))) in R^{out x m}, one MLP per node: its weight and bias
/// share the rows.
class NeuronWise : public Sharing {
 public:
  NeuronWise(Groups groups, std::vector<std::int64_t> outputs, std::int64_t features,
             const SharingSettings& settings, std::uint64_t seed)
      : groups_(std::move(groups)),
        outputs_(std::move(outputs)),
        copies_(settings.copies),
        hidden_(static_cast<std::int64_t>(groups_.names.size()), features, settings.hidden, seed) {
    for (std::size_t group = 0; group < outputs_.size(); ++group) {
      weights_.push_back(normal_tensor({settings.hidden, outputs_[group] * copies_},
                                       output_deviation(settings.hidden),
                                       core::Stream(seed, "router output", group))
                             .requires_grad_());
      biases_.push_back(at::zeros({outputs_[group] * copies_}).requires_grad_());
    }
  }

  std::int64_t copies(std::size_t slot) const override {
    return groups_.of_slot[slot] < 0 ? 1 : copies_;
  }

  Mixes coefficients(const at::Tensor& encodings, const at::Tensor&, bool) const override {
    const auto hidden = hidden_(encodings).unbind();
    std::vector<at::Tensor> rows;
    for (std::size_t group = 0; group < outputs_.size(); ++group)
      rows.push_back(at::softmax(at::addmm(biases_[group], hidden[group], weights_[group])
                                     .view({-1, outputs_[group], copies_}),
                                 -1));
    return Mixes{std::move(rows), groups_.of_slot};
  }

  std::optional<Mixes> joint_coefficients(const std::vector<at::Tensor>& p,
                                          const at::Tensor& encoding) const override {
    const auto hidden = HiddenLayers::of(encoding, p[0], p[1]).unbind(1);  // [networks, 1, hidden]
    std::vector<at::Tensor> rows;
    for (std::size_t group = 0; group < outputs_.size(); ++group)
      rows.push_back(
          at::softmax(at::baddbmm(p[3 + 2 * group].unsqueeze(1), hidden[group], p[2 + 2 * group])
                          .view({-1, outputs_[group], copies_}),
                      -1));
    return Mixes{std::move(rows), groups_.of_slot};
  }

  NamedParameters parameters() const override {
    NamedParameters result{{"hidden.weight", hidden_.weight}, {"hidden.bias", hidden_.bias}};
    for (std::size_t group = 0; group < outputs_.size(); ++group) {
      result.emplace_back("output." + groups_.names[group] + ".weight", weights_[group]);
      result.emplace_back("output." + groups_.names[group] + ".bias", biases_[group]);
    }
    return result;
  }

 private:
  Groups groups_;
  std::vector<std::int64_t> outputs_;
  std::int64_t copies_;
  HiddenLayers hidden_;
  std::vector<at::Tensor> weights_;
  std::vector<at::Tensor> biases_;
};

/// Keeps of the groups as many as fit into a share of all weights, drawn at random.
Groups with_share(const spaces::SuperGraph& graph, Groups groups, double share,
                  std::uint64_t seed) {
  if (share >= 1) return groups;
  std::vector<double> entries(groups.names.size(), 0.0);
  double all = 0;
  for (std::size_t slot = 0; slot < graph.slots.size(); ++slot) {
    const auto count = static_cast<double>(slot_size(graph.slots[slot]));
    all += count;
    if (groups.of_slot[slot] >= 0) entries[static_cast<std::size_t>(groups.of_slot[slot])] += count;
  }
  const auto order =
      core::Stream(seed, "mixed layers").permutation(static_cast<int>(groups.names.size()));
  Groups kept;
  std::vector<int> renamed(groups.names.size(), -1);
  double used = 0;
  for (const int group : order) {
    const auto place = static_cast<std::size_t>(group);
    if (used + entries[place] > share * all) continue;
    used += entries[place];
    renamed[place] = kept.add(groups.names[place]);
  }
  for (const int group : groups.of_slot)
    kept.of_slot.push_back(group < 0 ? -1 : renamed[static_cast<std::size_t>(group)]);
  return kept;
}

std::unique_ptr<Sharing> make_layer_wise(const spaces::SuperGraph& graph, std::size_t features,
                                         const SharingSettings& settings, std::uint64_t seed) {
  Groups groups;
  const auto routed = routed_slots(graph, settings.routed);
  for (std::size_t i = 0; i < graph.slots.size(); ++i) {
    const auto& slot = graph.slots[i];
    groups.of_slot.push_back(routed[i] ? groups.add(slot.group.empty() ? node_of(slot) : slot.group)
                                       : -1);
  }
  return std::make_unique<LayerWise>(with_share(graph, std::move(groups), settings.share, seed),
                                     static_cast<std::int64_t>(features), settings, seed);
}

std::unique_ptr<Sharing> make_neuron_wise(const spaces::SuperGraph& graph, std::size_t features,
                                          const SharingSettings& settings, std::uint64_t seed) {
  Groups groups;
  std::vector<std::int64_t> outputs;
  const auto routed = routed_slots(graph, settings.routed);
  for (std::size_t i = 0; i < graph.slots.size(); ++i)
    groups.of_slot.push_back(routed[i] ? groups.add(node_of(graph.slots[i])) : -1);
  groups = with_share(graph, std::move(groups), settings.share, seed);
  outputs.resize(groups.names.size());
  for (std::size_t slot = 0; slot < graph.slots.size(); ++slot)
    if (groups.of_slot[slot] >= 0)
      outputs[static_cast<std::size_t>(groups.of_slot[slot])] = graph.slots[slot].shape[0];
  return std::make_unique<NeuronWise>(std::move(groups), std::move(outputs),
                                      static_cast<std::int64_t>(features), settings, seed);
}

const core::Registered kLayerWise{
    sharing_kinds(), "layer-wise",
    "mixture-of-supernets: one coefficient per layer and copy, by an MLP of the architecture",
    make_layer_wise};
const core::Registered kNeuronWise{
    sharing_kinds(), "neuron-wise",
    "mixture-of-supernets: one coefficient per output neuron and copy", make_neuron_wise};

}  // namespace
}  // namespace mosaic::supernet
