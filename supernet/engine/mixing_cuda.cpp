#include "engine/mixing_cuda.hpp"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>
#include <map>

#include "engine/cuda/kernels.hpp"

namespace mosaic::supernet {
namespace {

constexpr std::int64_t kMostNetworks = 65'535;

/// Slots, their readers in the order of the slots, and the mixes: all but the addresses.
struct Plan : torch::CustomClassHolder {
  std::vector<cuda::MixedSlot> slots;
  std::vector<cuda::MixReader> readers;
  std::vector<std::vector<std::int64_t>> shapes;  ///< of what is read, by reader
  std::vector<int> mix_of;                        ///< by slot; -1: none
  std::vector<at::Tensor> gradients;              ///< by slot: SlotCopies::gradient
};

/// Is the first entry where so many of these can be read at once?
bool aligned(const at::Tensor& tensor) {
  const auto bytes = 4 * tensor.element_size();
  return reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) %
             static_cast<std::uintptr_t>(bytes) ==
         0;
}

/// Copies and mixes, in that order, as tensors of one operation.
class Generation : public torch::autograd::Function<Generation> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                at::TensorList tensors,
                                                const c10::intrusive_ptr<Plan>& plan) {
    context->save_for_backward(tensors.vec());
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    context->set_materialize_grads(false);
    const c10::cuda::CUDAGuard guard(tensors[0].device());
    auto slots = addressed(*plan, tensors);
    auto readers = plan->readers;
    auto results = in_a_row(*plan, tensors[0].options());
    for (std::size_t i = 0; i < readers.size(); ++i)
      readers[i].weights = results[i].mutable_data_ptr();
    cuda::mix_forward(slots, readers, tensors[0].size(0), c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return results;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list given) {
    const auto capsule = context->saved_data["plan"].toCapsule();
    const Plan& plan = static_cast<const Plan&>(*capsule);
    const auto tensors = context->get_saved_variables();
    const c10::cuda::CUDAGuard guard(tensors[0].device());
    const auto all = addressed(plan, tensors);
    const std::int64_t networks = tensors[0].size(0);
    std::vector<at::Tensor> results(tensors.size() + 1);  // the last: of the plan
    std::vector<cuda::MixedSlot> slots;
    std::vector<cuda::MixReader> readers;
    const auto take = [&](std::size_t i) {
      cuda::MixedSlot slot = all[i];
      slot.first_reader = static_cast<int>(readers.size());
      for (int which = 0; which < all[i].readers; ++which) {
        const auto reader = static_cast<std::size_t>(all[i].first_reader + which);
        if (!given[reader].defined()) continue;
        given[reader] = given[reader].contiguous();
        slot.lines = slot.lines && aligned(given[reader]);
        readers.push_back(plan.readers[reader]);
        readers.back().weights = given[reader].mutable_data_ptr();
      }
      slot.readers = static_cast<int>(readers.size()) - slot.first_reader;
      if (slot.readers == 0) return false;
      results[i] = plan.gradients[i].defined()
                       ? plan.gradients[i]
                       : at::empty(tensors[i].sizes(), tensors[i].options());
      slot.gradient = results[i].mutable_data_ptr<float>();
      slots.push_back(slot);
      return true;
    };
    // Products of all slots with a mix stand side by side: [networks, terms, width].
    std::vector<cuda::MixGradient> sums;
    std::vector<std::int64_t> offsets;  // of the products of each slot, then of each sum
    std::int64_t scratch = 0;
    for (std::size_t mix = plan.slots.size(); mix < tensors.size(); ++mix) {
      const std::int64_t width = tensors[mix].numel() / networks;
      const std::size_t first = slots.size();
      std::int64_t terms = 0;
      for (std::size_t i = 0; i < plan.slots.size(); ++i) {
        if (plan.mix_of[i] != static_cast<int>(mix - plan.slots.size()) || !take(i)) continue;
        offsets.push_back(scratch + terms * width);
        terms += cuda::mix_terms(slots.back());
      }
      if (slots.size() == first) continue;
      for (std::size_t i = first; i < slots.size(); ++i) slots[i].products_stride = terms * width;
      results[mix] = at::empty(tensors[mix].sizes(), tensors[mix].options());
      sums.push_back({nullptr, results[mix].mutable_data_ptr<float>(), static_cast<int>(terms),
                      static_cast<int>(width)});
      scratch += networks * terms * width;
    }
    // Zeros: a mix may have more rows than a slot.
    const at::Tensor products = at::zeros({scratch}, tensors[0].options());
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < offsets.size(); ++i)
      slots[i].products = products.mutable_data_ptr<float>() + offsets[i];
    for (auto& sum : sums) {
      sum.products = products.const_data_ptr<float>() + begin;
      begin += networks * sum.terms * sum.width;
    }
    for (std::size_t i = 0; i < plan.slots.size(); ++i)
      if (plan.mix_of[i] < 0) take(i);
    if (slots.empty()) return results;
    cuda::mix_backward(slots, readers, sums, networks, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return results;
  }

 private:
  /// Memory for the readers, in their order: those that whole lines fill touch, and products of
  /// several take them as one.
  static std::vector<at::Tensor> in_a_row(const Plan& plan, const at::TensorOptions& options) {
    constexpr std::int64_t kLine = 16;  // bytes
    const at::AutoDispatchBelowADInplaceOrView no_views;
    std::vector<std::int64_t> begins;
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < plan.readers.size(); ++i) {
      begins.push_back(bytes);
      const std::int64_t size =
          c10::multiply_integers(plan.shapes[i]) * (plan.readers[i].bfloat16 ? 2 : 4);
      bytes += (size + kLine - 1) / kLine * kLine;
    }
    const at::Tensor all = at::empty({bytes}, options.dtype(at::kByte));
    std::vector<at::Tensor> result;
    for (std::size_t i = 0; i < plan.readers.size(); ++i) {
      const auto type = plan.readers[i].bfloat16 ? at::kBFloat16 : at::kFloat;
      const std::int64_t count = c10::multiply_integers(plan.shapes[i]);
      const auto entry = static_cast<std::int64_t>(c10::elementSize(type));
      result.push_back(all.narrow(0, begins[i], count * entry).view(type).view(plan.shapes[i]));
    }
    return result;
  }

  static std::vector<cuda::MixedSlot> addressed(const Plan& plan, at::TensorList tensors) {
    auto slots = plan.slots;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      slots[i].copies = tensors[i].const_data_ptr<float>();
      if (plan.mix_of[i] < 0) continue;
      const at::Tensor& mix = tensors[slots.size() + static_cast<std::size_t>(plan.mix_of[i])];
      slots[i].mix = mix.const_data_ptr<float>();
      slots[i].mix_stride = mix.stride(0);
    }
    return slots;
  }
};

/// Sets the axes of a slot and of those who read it. False where they are too many.
bool set_axes(cuda::MixedSlot& slot, std::vector<cuda::MixReader>& readers,
              const std::vector<const spaces::WeightRef*>& refs) {
  struct Axis {
    std::int64_t full;
    std::vector<std::int64_t> size, first;
  };
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < refs[0]->full.size(); ++i) {
    Axis own{refs[0]->full[i], {}, {}};
    bool cut = false;
    for (const auto* ref : refs) {
      const std::int64_t gap = ref->full[i] - ref->active[i];
      own.size.push_back(ref->active[i]);
      own.first.push_back(ref->crops[i] == spaces::Crop::centred ? gap / 2 : 0);
      cut = cut || gap > 0;
    }
    // The first is kept where its rows have mixes of their own.
    if (cut || axes.empty() || (slot.by_row && axes.size() == 1)) {
      axes.push_back(std::move(own));
      continue;
    }
    axes.back().full *= own.full;
    for (std::size_t reader = 0; reader < refs.size(); ++reader) {
      axes.back().size[reader] *= own.full;
      axes.back().first[reader] *= own.full;
    }
  }
  if (axes.empty() || (slot.by_row && axes.size() == 1)) {
    const std::vector<std::int64_t> ones(refs.size(), 1), zeros(refs.size(), 0);
    axes.push_back({1, ones, zeros});
  }
  if (axes.size() > cuda::kMixAxes) return false;
  slot.lines = axes.back().full % 4 == 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    // The first, then the others up to the last; those between are 1.
    const bool first = i == 0 && axes.size() > 1;
    const std::size_t place = first ? 0 : cuda::kMixAxes - axes.size() + i;
    slot.full[place] = static_cast<int>(axes[i].full);
    for (std::size_t reader = 0; reader < refs.size(); ++reader) {
      readers[reader].size[place] = static_cast<int>(axes[i].size[reader]);
      readers[reader].first[place] = static_cast<int>(axes[i].first[reader]);
    }
  }
  for (std::size_t reader = 0; reader < refs.size(); ++reader) {
    if (slot.by_row && readers[reader].first[0] > 0) return false;
    slot.lines =
        slot.lines && axes.back().size[reader] % 4 == 0 && axes.back().first[reader] % 4 == 0;
  }
  return true;
}

bool fits(const at::Tensor& copies, const spaces::WeightRef& ref) {
  return copies.is_cuda() && copies.scalar_type() == at::kFloat && copies.is_contiguous() &&
         copies.numel() > 0 && copies.size(0) <= kMostNetworks &&
         copies.sizes().slice(2) == at::IntArrayRef(ref.full) &&
         copies.numel() / (copies.size(0) * copies.size(1)) < std::numeric_limits<int>::max();
}

bool is_whole(const spaces::WeightRef& ref) { return ref.full == ref.active; }

}  // namespace

std::optional<std::vector<at::Tensor>> generated_weights(
    const std::vector<SlotCopies>& slots, const std::vector<const spaces::WeightRef*>& refs,
    const std::vector<at::Tensor>& mixes) {
  std::vector<at::Tensor> results(slots.size());
  // Which references read a slot under a mix.
  std::map<std::pair<const void*, int>, std::size_t> known;
  std::vector<std::vector<std::size_t>> readers_of;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& [copies, mix, bfloat16, gradient] = slots[i];
    if (!fits(copies, *refs[i]) || copies.device() != slots[0].copies.device()) return {};
    if (copies.size(1) == 1 && is_whole(*refs[i]) && !bfloat16) {
      results[i] = copies.squeeze(1);
      continue;
    }
    const auto [found, fresh] =
        known.try_emplace({copies.unsafeGetTensorImpl(), mix}, readers_of.size());
    if (fresh) readers_of.emplace_back();
    readers_of[found->second].push_back(i);
  }
  if (readers_of.empty()) return results;

  auto plan = c10::make_intrusive<Plan>();
  std::vector<at::Tensor> tensors, used;
  std::vector<int> place(mixes.size(), -1);  // of a mix that is used
  for (const auto& own : readers_of) {
    const auto& [copies, mix, bfloat16, gradient] = slots[own[0]];
    cuda::MixedSlot slot;
    slot.count = static_cast<int>(copies.size(1));
    slot.first_reader = static_cast<int>(plan->readers.size());
    slot.readers = static_cast<int>(own.size());
    plan->mix_of.push_back(-1);
    if (slot.count > 1 && mix >= 0) {
      at::Tensor r = mixes[static_cast<std::size_t>(mix)];
      slot.by_row = r.dim() == 3;
      if (r.stride(-1) != 1 || (slot.by_row && r.stride(1) != r.size(2))) r = r.contiguous();
      slot.mixed = slot.count;
      if (!r.is_cuda() || r.scalar_type() != at::kFloat || r.size(-1) != slot.count ||
          (slot.by_row && r.size(1) < copies.size(2)))
        return {};
      int& at = place[static_cast<std::size_t>(mix)];
      if (at < 0) {
        at = static_cast<int>(used.size());
        used.push_back(std::move(r));
      }
      plan->mix_of.back() = at;
    }
    std::vector<cuda::MixReader> readers(own.size());
    std::vector<const spaces::WeightRef*> asked;
    for (std::size_t i = 0; i < own.size(); ++i) {
      readers[i].slot = static_cast<int>(plan->slots.size());
      readers[i].bfloat16 = slots[own[i]].bfloat16;
      asked.push_back(refs[own[i]]);
      plan->shapes.push_back(refs[own[i]]->active);
      plan->shapes.back().insert(plan->shapes.back().begin(), copies.size(0));
    }
    if (!set_axes(slot, readers, asked)) return {};
    slot.lines = slot.lines && aligned(copies);
    plan->slots.push_back(slot);
    plan->readers.insert(plan->readers.end(), readers.begin(), readers.end());
    tensors.push_back(copies);
    plan->gradients.push_back(gradient);
  }
  // Those that several mixes have would each be written by one alone.
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (std::count_if(tensors.begin(), tensors.end(), [&](const at::Tensor& other) {
          return other.unsafeGetTensorImpl() == tensors[i].unsafeGetTensorImpl();
        }) > 1)
      plan->gradients[i] = at::Tensor();
  tensors.insert(tensors.end(), used.begin(), used.end());
  auto made = Generation::apply(at::TensorList(tensors), plan);
  std::size_t next = 0;
  for (const auto& own : readers_of)
    for (const std::size_t i : own) results[i] = std::move(made[next++]);
  return results;
}

}  // namespace mosaic::supernet
