#include "training/relations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/spaces/task_shape.hpp"
#include "mosaic/supernet/training/trainer.hpp"

namespace mosaic::supernet {
namespace {

/// [networks, batch, length, features] -> A A^T / sqrt(size) of each head, [networks, batch, heads,
/// length, length].
at::Tensor products(const at::Tensor& x, std::int64_t heads) {
  const at::Tensor wide = at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
  const at::Tensor a = wide.unflatten(-1, {heads, x.size(-1) / heads}).transpose(2, 3);
  return a.matmul(a.transpose(-1, -2)) / std::sqrt(static_cast<double>(a.size(-1)));
}

/// 1 where the first position may see the second and both count: [networks or 1, batch or 1,
/// length, length].
at::Tensor pairs_of(const Outputs::Attention& attention) {
  const at::Tensor& x = attention.queries;
  at::Tensor pairs = at::ones({1, 1, x.size(2), x.size(2)}, x.options().dtype(at::kBool));
  if (attention.causal) pairs = pairs.tril();
  if (!attention.mask.defined()) return pairs;
  const at::Tensor counts = attention.mask.ne(0);
  return pairs.logical_and(counts.unsqueeze(2)).logical_and(counts.unsqueeze(3));
}

/// Of each relation head: [networks, batch, heads].
at::Tensor squares(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& pairs) {
  const at::Tensor counted = (student - teacher).square() * pairs;
  return counted.sum({3, 4}) / pairs.sum({3, 4}).clamp_min(1);
}

at::Tensor divergences(const at::Tensor& student, const at::Tensor& teacher,
                       const at::Tensor& pairs) {
  constexpr double kNever = -1e9;  // finite: there are positions that see nothing
  const at::Tensor hidden = pairs.logical_not();
  const at::Tensor p = teacher.masked_fill(hidden, kNever).log_softmax(-1),
                   q = student.masked_fill(hidden, kNever).log_softmax(-1);
  const at::Tensor counts = pairs.any(-1);  // [.., length]
  const at::Tensor each = (p.exp() * (p - q)).sum(-1) * counts;
  return each.sum(-1) / counts.sum(-1).clamp_min(1);
}

/// The teacher's rows for some networks. By views: a recorded pass has no list of rows on the
/// device.
at::Tensor rows(const at::Tensor& of_all, const std::vector<int>& networks) {
  if (static_cast<std::int64_t>(networks.size()) == of_all.size(0)) return of_all;
  std::vector<at::Tensor> own;
  for (const int network : networks) own.push_back(of_all.select(0, network));
  return at::stack(own);
}

[[noreturn]] void refuse_lengths(const std::string& teacher, const std::string& student) {
  throw core::UsageError("the last self-attention of the teacher is over " + teacher +
                             " positions, and that of a network over " + student,
                         "take a teacher of the same kind of space, or remove distill_relations: "
                         "distill learns from what a teacher answers");
}

/// The last self-attention of a network, by its nodes.
struct Last {
  explicit Last(const spaces::Graph& of)
      : graph(of),
        node(graph.nodes[static_cast<std::size_t>(last_self_attention(of, "forward"))]) {}
  std::int64_t features(std::size_t input) const {
    return graph.nodes[static_cast<std::size_t>(node.inputs[input])].shape.back().value();
  }

  const spaces::Graph& graph;
  const spaces::GraphNode& node;
};

}  // namespace

void check_relations(const spaces::Graph& student, const spaces::Graph& teacher,
                     std::int64_t heads) {
  const Last own(student), other(teacher);
  const auto &length = own.node.shape[0], &taught = other.node.shape[0];
  const auto text = [](const spaces::Dim& dim) {
    return spaces::to_string(std::vector<spaces::Dim>{dim});
  };
  if (!(length == taught)) refuse_lengths(text(taught), text(length));
  for (std::size_t input = 0; input < 3; ++input)
    relation_heads(own.features(input), other.features(input), 1, heads);
}

std::int64_t relation_heads(std::int64_t student, std::int64_t teacher, std::int64_t teacher_heads,
                            std::int64_t wanted) {
  const std::int64_t common = std::gcd(student, teacher);
  std::int64_t most = std::min(teacher_heads, common);
  while (common % most != 0) --most;
  if (wanted == 0) return most;
  if (common % wanted != 0)
    throw core::UsageError("relation_heads = " + std::to_string(wanted) + " must divide the " +
                               std::to_string(student) +
                               " features of a network's queries, keys or values, and the " +
                               std::to_string(teacher) + " of its teacher's",
                           "use a divisor of " + std::to_string(common) + ", or remove the key");
  return wanted;
}

at::Tensor relation_losses(const Outputs::Attention& student, const Outputs::Attention& teacher,
                           const RelationSettings& how) {
  // Products of bfloat16 are as coarse as what is learned from them.
  const c10::impl::ExcludeDispatchKeyGuard in_float32(c10::autocast_dispatch_keyset);
  const auto positions = student.queries.size(2), taught = teacher.queries.size(2);
  if (positions != taught) refuse_lengths(std::to_string(taught), std::to_string(positions));
  const at::Tensor pairs = pairs_of(student).unsqueeze(2);
  at::Tensor sum;
  for (const auto part : kRelated) {
    const bool of_queries = part == &Outputs::Attention::queries;
    const at::Tensor &own = student.*part, &of_all = teacher.*part;
    const auto heads = relation_heads(own.size(-1), of_all.size(-1),
                                      of_queries ? teacher.heads : teacher.kv_heads, how.heads);
    const at::Tensor s = products(own, heads), t = products(rows(of_all, student.networks), heads);
    const at::Tensor loss =
        (how.divergence ? divergences(s, t, pairs) : squares(s, t, pairs)).mean(2);
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum;
}

}  // namespace mosaic::supernet
