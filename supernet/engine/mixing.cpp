#include "engine/mixing.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <tuple>

#ifdef MOSAIC_CUDA
#include "engine/mixing_cuda.hpp"
#endif

namespace mosaic::supernet {
at::Tensor active_part(at::Tensor part, std::int64_t first, const spaces::WeightRef& ref) {
  for (std::size_t axis = 0; axis < ref.full.size(); ++axis) {
    const std::int64_t gap = ref.full[axis] - ref.active[axis];
    if (gap == 0) continue;
    const std::int64_t begin = ref.crops[axis] == spaces::Crop::centred ? gap / 2 : 0;
    part = part.narrow(static_cast<std::int64_t>(axis) + first, begin, ref.active[axis]);
  }
  return part;
}

namespace {

at::Tensor pad_copies(const at::Tensor& mix, std::int64_t copies) {
  const std::int64_t missing = copies - mix.size(-1);
  return missing == 0 ? mix : at::constant_pad_nd(mix, {0, missing});
}

/// Parts [networks, m, out, ...] of slots, mixes [networks, m] or [networks, out, m], and which one
/// mixes which part.
struct Mixture {
  std::vector<at::Tensor> parts, mixes;
  std::vector<std::int64_t> mix_of;

  const at::Tensor& mix(std::size_t part) const {
    return mixes[static_cast<std::size_t>(mix_of[part])];
  }
};

/// A mix as coefficients [networks, m, 1 or out, 1...] of a part.
at::Tensor shares_of(const at::Tensor& mix, const at::Tensor& part) {
  at::Tensor shares = mix;
  // A neuron keeps its coefficients when the slice shrinks.
  if (mix.dim() == 3) shares = mix.narrow(1, 0, part.size(2)).transpose(1, 2);
  while (shares.dim() < part.dim()) shares = shares.unsqueeze(-1);
  return shares;
}

/// W = sum_i r_i E_i along axis 1 of each part, with the copies' gradient divided by sum_i r_i^2.
class Mixing : public torch::autograd::Function<Mixing> {
 public:
  /// `tensors`: parts, then mixes.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                at::TensorList tensors,
                                                const std::vector<std::int64_t>& mix_of) {
    context->save_for_backward(tensors.vec());
    context->saved_data["mix_of"] = mix_of;
    context->set_materialize_grads(false);
    const Mixture all = mixture(tensors.vec(), mix_of);
    std::vector<at::Tensor> results;
    for (std::size_t i = 0; i < all.parts.size(); ++i)
      results.push_back((all.parts[i] * shares_of(all.mix(i), all.parts[i])).sum(1));
    return results;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto mix_of = context->saved_data["mix_of"].toIntVector();
    const Mixture all = mixture(context->get_saved_variables(), mix_of);
    std::vector<at::Tensor> results = gradients_of(all, gradients);
    results.emplace_back();  // of mix_of
    return results;
  }

 private:
  static Mixture mixture(std::vector<at::Tensor> tensors, std::vector<std::int64_t> mix_of) {
    const auto parts = tensors.begin() + static_cast<std::ptrdiff_t>(mix_of.size());
    return {{tensors.begin(), parts}, {parts, tensors.end()}, std::move(mix_of)};
  }

  static std::vector<at::Tensor> gradients_of(const Mixture& all,
                                              const std::vector<at::Tensor>& given) {
    const std::size_t count = all.parts.size();
    std::vector<at::Tensor> results(count + all.mixes.size());
    for (std::size_t i = count; i-- > 0;) {
      if (!given[i].defined()) continue;
      const at::Tensor shares = shares_of(all.mix(i), all.parts[i]);
      const at::Tensor gradient = given[i].unsqueeze(1);
      results[i] = gradient * (shares / shares.square().sum(1, true));
      at::Tensor of_mix = (all.parts[i] * gradient).sum_to_size(shares.sizes());
      if (all.mix(i).dim() == 3) {
        of_mix = of_mix.flatten(2).transpose(1, 2);  // [networks, rows, m]
        const std::int64_t left = all.mix(i).size(1) - of_mix.size(1);
        if (left > 0) of_mix = at::constant_pad_nd(of_mix, {0, 0, 0, left});
      } else {
        of_mix = of_mix.flatten(1);
      }
      at::Tensor& sum = results[count + static_cast<std::size_t>(all.mix_of[i])];
      sum = sum.defined() ? sum + of_mix : of_mix;
    }
    return results;
  }
};

/// mixed_weights() by LibTorch's own operations.
std::vector<at::Tensor> plainly_mixed(const std::vector<SlotCopies>& slots,
                                      const std::vector<const spaces::WeightRef*>& refs,
                                      const std::vector<at::Tensor>& mixes) {
  std::vector<at::Tensor> results(slots.size());
  Mixture all;
  std::vector<std::size_t> mixed;
  std::vector<std::int64_t> place(mixes.size(), -1);  // of a mix that is used
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const at::Tensor part = active_part(slots[i].copies, 2, *refs[i]);
    if (part.size(1) == 1) {
      results[i] = part.squeeze(1);  // unlike select, free in the backward pass
    } else if (slots[i].mix < 0) {
      results[i] = part.select(1, 0);
    } else {
      const auto mix = static_cast<std::size_t>(slots[i].mix);
      if (place[mix] < 0) {
        place[mix] = static_cast<std::int64_t>(all.mixes.size());
        all.mixes.push_back(mixes[mix]);
      }
      all.parts.push_back(part);
      all.mix_of.push_back(place[mix]);
      mixed.push_back(i);
    }
  }
  if (!mixed.empty()) {
    std::vector<at::Tensor> tensors = all.parts;
    tensors.insert(tensors.end(), all.mixes.begin(), all.mixes.end());
    auto made = Mixing::apply(at::TensorList(tensors), all.mix_of);
    for (std::size_t i = 0; i < mixed.size(); ++i) results[mixed[i]] = std::move(made[i]);
  }
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].bfloat16) results[i] = results[i].to(at::kBFloat16);
  return results;
}

}  // namespace

std::vector<at::Tensor> mixed_weights(const std::vector<SlotCopies>& slots,
                                      const std::vector<const spaces::WeightRef*>& refs,
                                      const std::vector<at::Tensor>& mixes) {
  // What is asked for twice is made once.
  std::map<std::tuple<const void*, int, bool, std::vector<std::int64_t>>, std::size_t> known;
  std::vector<std::size_t> places;
  std::vector<SlotCopies> asked;
  std::vector<const spaces::WeightRef*> by;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    SlotCopies own = slots[i];
    own.bfloat16 = own.bfloat16 && own.copies.is_cuda();
    const auto [found, fresh] = known.try_emplace(
        {own.copies.unsafeGetTensorImpl(), own.mix, own.bfloat16, refs[i]->active}, asked.size());
    places.push_back(found->second);
    if (!fresh) continue;
    asked.push_back(std::move(own));
    by.push_back(refs[i]);
  }
  std::vector<at::Tensor> made;
#ifdef MOSAIC_CUDA
  if (auto generated = generated_weights(asked, by, mixes)) made = std::move(*generated);
#endif
  if (made.empty()) made = plainly_mixed(asked, by, mixes);
  std::vector<at::Tensor> results;
  for (const std::size_t place : places) results.push_back(made[place]);
  return results;
}

WeightSource mixed_weights(const spaces::Graph& graph,
                           const std::function<SlotCopies(const std::string& slot)>& of_slot,
                           const std::vector<at::Tensor>& mixes) {
  using Key = std::pair<std::string, std::vector<std::int64_t>>;
  std::map<Key, std::size_t> known;
  std::vector<const spaces::WeightRef*> refs;
  std::vector<SlotCopies> slots;
  for (const auto& node : graph.nodes)
    for (const auto& ref : node.weights)
      if (known.try_emplace({ref.slot, ref.active}, refs.size()).second) {
        refs.push_back(&ref);
        slots.push_back(of_slot(ref.slot));
      }
  auto made = std::make_shared<const std::vector<at::Tensor>>(mixed_weights(slots, refs, mixes));
  return [known = std::move(known), made = std::move(made)](const spaces::WeightRef& ref) {
    const auto found = known.find({ref.slot, ref.active});
    if (found == known.end())
      throw std::logic_error("slot " + ref.slot + " is not of the graph whose weights were mixed");
    return (*made)[found->second];
  };
}

at::Tensor stacked_mixes(const std::vector<at::Tensor>& mixes, std::int64_t copies,
                         const at::TensorOptions& options) {
  if (copies == 1 ||
      std::none_of(mixes.begin(), mixes.end(), [](const auto& mix) { return mix.defined(); }))
    return {};
  std::vector<at::Tensor> full;
  for (const auto& mix : mixes)
    full.push_back(mix.defined() ? pad_copies(mix, copies)
                                 : at::constant_pad_nd(at::ones({1}, options), {0, copies - 1}));
  return at::stack(full);
}

}  // namespace mosaic::supernet
