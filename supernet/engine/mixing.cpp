#include "engine/mixing.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>

#ifdef MOSAIC_CUDA
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernels.hpp"
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

#ifdef MOSAIC_CUDA

/// The kernels of cuda/mix.cu.
class MixKernels {
 public:
  static bool fit(const Mixture& all) {
    const auto on_gpu = [](const at::Tensor& tensor) {
      return tensor.is_cuda() && tensor.scalar_type() == at::kFloat;
    };
    return all.parts[0].size(0) <= 65'535 &&
           std::all_of(all.parts.begin(), all.parts.end(),
                       [&](const auto& part) { return on_gpu(part) && part.is_contiguous(); }) &&
           std::all_of(all.mixes.begin(), all.mixes.end(), [&](const auto& mix) {
             const bool rows_follow = mix.dim() == 2 || mix.stride(1) == mix.size(2);
             return on_gpu(mix) && mix.stride(-1) == 1 && rows_follow;
           });
  }

  explicit MixKernels(const Mixture& all)
      : all_(all), networks_(all.parts[0].size(0)), guard_(all.parts[0].device()) {
    for (std::size_t i = 0; i < all.parts.size(); ++i) {
      const at::Tensor &part = all.parts[i], &mix = all.mix(i);
      slots_.push_back(
          {.copies = part.const_data_ptr<float>(),
           .mix = mix.const_data_ptr<float>(),
           .mix_stride = mix.stride(0),
           .count = static_cast<int>(part.size(1)),
           .rows = static_cast<int>(part.size(2)),
           .columns = static_cast<int>(part.numel() / (part.size(0) * part.size(1) * part.size(2))),
           .by_row = mix.dim() == 3});
    }
  }

  std::vector<at::Tensor> forward() {
    std::vector<at::Tensor> results;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      auto sizes = all_.parts[i].sizes().vec();
      sizes.erase(sizes.begin() + 1);
      results.push_back(at::empty(sizes, all_.parts[i].options()));
      slots_[i].result = results[i].mutable_data_ptr<float>();
    }
    cuda::mix_forward(slots_, networks_, stream_);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return results;
  }

  /// Gradients of the parts, then of the mixes, given those of the results (undefined: none).
  std::vector<at::Tensor> backward(std::vector<at::Tensor> given) {
    std::vector<at::Tensor> results(all_.parts.size() + all_.mixes.size());
    std::vector<cuda::MixGradient> sums;
    std::vector<cuda::MixedSlot> used;
    std::vector<std::int64_t> offsets;
    std::int64_t scratch = 0;
    for (std::size_t mix = 0; mix < all_.mixes.size(); ++mix) {
      // Products of all slots with this mix, side by side: [networks, terms, width].
      const at::Tensor& own = all_.mixes[mix];
      const std::int64_t width = own.numel() / networks_;
      cuda::MixGradient sum{.terms = 0, .width = static_cast<int>(width)};
      const std::size_t first = used.size();
      for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (all_.mix_of[i] != static_cast<std::int64_t>(mix) || !given[i].defined()) continue;
        given[i] = given[i].contiguous();
        results[i] = at::empty_like(all_.parts[i]);
        used.push_back(slots_[i]);
        used.back().gradient = given[i].const_data_ptr<float>();
        used.back().copy_gradient = results[i].mutable_data_ptr<float>();
        offsets.push_back(scratch + sum.terms * width);
        sum.terms += slots_[i].by_row ? 1 : slots_[i].rows;
      }
      if (used.size() == first) continue;
      for (std::size_t i = first; i < used.size(); ++i) used[i].products_stride = sum.terms * width;
      at::Tensor& result = results[all_.parts.size() + mix];
      result = at::empty(own.sizes(), own.options());
      sum.result = result.mutable_data_ptr<float>();
      sums.push_back(sum);
      scratch += networks_ * sum.terms * width;
    }
    if (used.empty()) return results;
    // Zeros: rows that a slice leaves out have none.
    const at::Tensor products = at::zeros({scratch}, all_.parts[0].options());
    for (std::size_t i = 0; i < used.size(); ++i)
      used[i].products = products.mutable_data_ptr<float>() + offsets[i];
    std::int64_t begin = 0;
    for (auto& sum : sums) {
      sum.products = products.const_data_ptr<float>() + begin;
      begin += networks_ * sum.terms * sum.width;
    }
    cuda::mix_backward(used, sums, networks_, stream_);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return results;
  }

 private:
  const Mixture& all_;
  std::int64_t networks_;
  c10::cuda::CUDAGuard guard_;
  cuda::Stream stream_ = c10::cuda::getCurrentCUDAStream();
  std::vector<cuda::MixedSlot> slots_;
};

#endif

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
#ifdef MOSAIC_CUDA
    if (MixKernels::fit(all)) return MixKernels(all).forward();
#endif
    std::vector<at::Tensor> results;
    for (std::size_t i = 0; i < all.parts.size(); ++i)
      results.push_back((all.parts[i] * shares_of(all.mix(i), all.parts[i])).sum(1));
    return results;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto mix_of = context->saved_data["mix_of"].toIntVector();
    const Mixture all = mixture(context->get_saved_variables(), mix_of);
    std::vector<at::Tensor> results;
#ifdef MOSAIC_CUDA
    if (MixKernels::fit(all)) results = MixKernels(all).backward(gradients);
#endif
    if (results.empty()) results = gradients_of(all, gradients);
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

}  // namespace

std::vector<at::Tensor> mixed_weights(const std::vector<SlotCopies>& slots,
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
      all.parts.push_back(part.is_cuda() ? part.contiguous() : part);
      all.mix_of.push_back(place[mix]);
      mixed.push_back(i);
    }
  }
  if (mixed.empty()) return results;
  std::vector<at::Tensor> tensors = all.parts;
  tensors.insert(tensors.end(), all.mixes.begin(), all.mixes.end());
  auto made = Mixing::apply(at::TensorList(tensors), all.mix_of);
  for (std::size_t i = 0; i < mixed.size(); ++i) results[mixed[i]] = std::move(made[i]);
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
