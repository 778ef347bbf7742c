// Attention with relative positions on a grid (Wu et al. 2021, "Rethinking and Improving Relative
// Position Encoding for Vision Transformer"; as in AutoFormer, Chen et al. 2021).
//
// With d the distance of key j from query i along rows and e along columns, head size s:
//   score[i, j] = q_i . (k_j + key_rows[d] + key_columns[e]) / sqrt(s)
//   y_i = sum_j softmax(score)[i, j] (v_j + value_rows[d] + value_columns[e])
// Distances are clamped; row 0 of a table stands for all pairs with the class token.
//
// Nothing of the size of all pairs is made. A query's product with a table's row goes to all keys
// of one row of the grid alike, so it is a further feature of the query, and the key has 1 there if
// it stands in that row. Of values, the same features come back as sums of the attention that a row
// of the grid got. What lies between is plain attention with a few features more.
#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "mosaic/supernet/engine/executor.hpp"

namespace mosaic::supernet {
namespace {

/// The grid along one of its sides. Places are its rows (or columns); before them, the class token
/// has one of its own.
struct Side {
  at::Tensor bucket;  ///< [tokens, places]: row of the table, of a query and a key at that place
  at::Tensor stands;  ///< [tokens, places]: 1 where the token stands at that place
};

/// `tokens`: int64 [tokens], the places where they stand; -1 of the class token.
Side side_of(const at::Tensor& tokens, std::int64_t count, const spaces::GraphNode& node,
             at::ScalarType type) {
  const std::int64_t distance = node.attribute("distance"), leads = node.attribute("class_token");
  const at::Tensor places = at::arange(-leads, count, tokens.options());
  const at::Tensor own = tokens.unsqueeze(1);
  const at::Tensor apart = (places - own).clamp_(-distance, distance).add_(distance + leads);
  return {apart * places.ge(0) * own.ge(0), own.eq(places).to(type)};
}

/// [networks, batch, tokens, heads, any] with tables of each network [networks, any, other].
at::Tensor product(const at::Tensor& x, const at::Tensor& tables) {
  auto sizes = x.sizes().vec();
  sizes.back() = tables.size(2);
  return at::bmm(x.flatten(1, 3), tables).view(sizes);
}

/// Rows of the table that queries meet, [networks, batch, tokens, heads, places].
at::Tensor met(const Side& side, const at::Tensor& x) {
  return side.bucket.unsqueeze(1).expand({x.size(0), x.size(1), -1, x.size(3), -1});
}

at::Tensor relative_attention(const OpCall& call) {
  const std::int64_t heads = call.node.attribute("heads");
  const auto by_head = [&](std::size_t input) {
    return call.inputs[input].unflatten(3, {heads, -1});
  };
  const at::Tensor q = by_head(0), k = by_head(1), v = by_head(2);
  const std::int64_t size = q.size(4), columns = call.node.attribute("columns");

  const at::Tensor patch =
      at::arange(q.size(2), q.options().dtype(at::kLong)).sub_(call.node.attribute("class_token"));
  const at::Tensor column = patch.remainder(columns).where(patch.ge(0), -1);
  const std::array<Side, 2> sides{
      side_of(patch.div(columns, "floor"), call.node.attribute("rows"), call.node, q.scalar_type()),
      side_of(column, columns, call.node, q.scalar_type())};

  const auto scores = [&](const Side& side, const char* table) {
    return product(q, call.weight(table).transpose(1, 2)).gather(4, met(side, q));
  };
  // Kernels of GPUs want features by the eight.
  const std::int64_t by_row = sides[0].stands.size(1), by_column = sides[1].stands.size(1);
  const std::int64_t padding = 7 - (size + by_row + by_column + 7) % 8;
  const auto for_all = [&](const at::Tensor& x) {
    return x.unsqueeze(1).expand({q.size(0), q.size(1), q.size(2), heads, -1});
  };
  const at::Tensor none = at::zeros({1, padding}, q.options());
  const at::Tensor queries =
      at::cat({q, scores(sides[0], "key_rows"), scores(sides[1], "key_columns"), for_all(none)}, 4);
  const at::Tensor stands =
      for_all(at::cat({sides[0].stands, sides[1].stands, none.expand({q.size(2), -1})}, 1));
  const auto plain = [](const at::Tensor& x) { return x.flatten(0, 1).transpose(1, 2); };
  const at::Tensor attended =
      at::scaled_dot_product_attention(plain(queries), plain(at::cat({k, stands}, 4)),
                                       plain(at::cat({v, stands}, 4)), {}, 0.0, false,
                                       1 / std::sqrt(static_cast<double>(size)))
          .transpose(1, 2)
          .unflatten(0, {q.size(0), q.size(1)});

  const auto parts = attended.split_with_sizes({size, by_row, by_column, padding}, 4);
  const auto values = [&](const Side& side, const at::Tensor& shares, const char* name) {
    const at::Tensor table = call.weight(name);
    auto sizes = shares.sizes().vec();
    sizes.back() = table.size(1);
    return product(at::zeros(sizes, shares.options()).scatter_add(4, met(side, q), shares), table);
  };
  return (parts[0] + values(sides[0], parts[1], "value_rows") +
          values(sides[1], parts[2], "value_columns"))
      .flatten(3);
}

const core::Registered kEntry{op_kernels(), "relative_attention",
                              "at::scaled_dot_product_attention, places as further features",
                              relative_attention};

}  // namespace
}  // namespace mosaic::supernet
