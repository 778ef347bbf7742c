/// Pieces of Transformers, for the build() of spaces. Values are [length, features]; leading heads,
/// features and inner units are kept where widths are decisions.
#pragma once

#include <optional>
#include <string>

#include "mosaic/spaces/builder.hpp"

namespace mosaic::spaces {

/// The option "layers": the most layers there may be, of these depths; all of them where the job
/// file says nothing.
std::vector<std::int64_t> depths_up_to_option(SpaceBuilder& b, std::vector<std::int64_t> depths);

/// The option "longest": positions that are learned; as many as the task may have, or 512 where
/// that is not known. Throws UsageError for fewer than those.
std::int64_t longest_option(SpaceBuilder& b, const Port& tokens);

/// Features of tokens: [length] -> [length, out]. `tokens`: how many there are. Its table is the
/// slot "<name>.weight"; tied_logits() uses it again.
Value embedding(SpaceBuilder& b, const std::string& name, Value tokens, const Extent& out,
                std::int64_t vocabulary, const std::string& group = {});
/// A logit for each token, by the table of an embedding: [length, features] -> [length,
/// vocabulary].
Value tied_logits(SpaceBuilder& b, const std::string& name, Value x, const std::string& table,
                  std::int64_t vocabulary, const std::string& group = {});
/// Puts a learned token before the first: [length, features] -> [length + 1, features].
Value class_token(SpaceBuilder& b, const std::string& name, Value x);
/// Adds a learned row for each of at most `longest` positions.
Value positions(SpaceBuilder& b, const std::string& name, Value x, std::int64_t longest);
Value layer_norm(SpaceBuilder& b, const std::string& name, Value x, double epsilon = 1e-5);
Value rms_norm(SpaceBuilder& b, const std::string& name, Value x, double epsilon = 1e-6);
/// `p`: share of the entries that a training step sets to zero. 0: makes no node.
Value dropout(SpaceBuilder& b, const std::string& name, Value x, double p);

/// Positions of tokens in an image, row by row.
struct Grid {
  std::int64_t rows = 1, columns = 1;
  bool class_token = false;    ///< one more token leads
  std::int64_t distance = 14;  ///< the largest that is told from those beyond it, either way
};

struct AttentionOptions {
  Extent heads = 1;
  Extent head_size = 64;
  std::optional<Extent> kv_heads = {};  ///< of keys and values; all heads
  std::optional<Extent> out = {};       ///< features of the result; those of x
  bool bias = true;
  bool causal = false;
  double rotary = 0;  ///< base of rotary positions ("10000"); 0: none
  /// Keys and values are relative to their distance from the query on it (Wu et al. 2021), by
  /// tables NAME.key_rows, .key_columns, .value_rows, .value_columns. Such attention is among all
  /// tokens of an image: neither masked, nor causal, nor of groups of heads.
  std::optional<Grid> grid = {};
  std::string group = {};
};
/// Projects `x` to queries and `memory` (x itself: self-attention) to keys and values, attends, and
/// projects back: nodes NAME.q, .k, .v, .heads, .out, whose weights are shared alike. `mask`:
/// [length of memory], 1 where it counts.
Value attention(SpaceBuilder& b, const std::string& name, Value x, Value memory,
                const AttentionOptions& options, std::optional<Value> mask = {});

struct FeedForwardOptions {
  Extent inner = 1;
  /// "gelu", "relu", or "swiglu": SiLU of one half times the other (Shazeer 2020).
  std::string activation = "gelu";
  bool bias = true;
  std::string group = {};
};
/// Two linear maps with an activation between them, back to the features of x: nodes NAME.in (and
/// .gate), .activation, .out.
Value feed_forward(SpaceBuilder& b, const std::string& name, Value x,
                   const FeedForwardOptions& options);

}  // namespace mosaic::spaces
