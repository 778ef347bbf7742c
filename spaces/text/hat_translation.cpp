// HAT's space of encoders and decoders for translation (Wang et al. 2020): widths of encoder and
// decoder, depth of the decoder, inner widths and heads of each layer, and how many of the last
// encoder layers each decoder layer attends to. Layers are normalised after the sum, with ReLU and
// sinusoidal positions; one table embeds both languages and gives the logits.
//
// Where the authors cut sinusoids of the widest network to a narrower one's features, each width
// has its own here.
#include <algorithm>

#include "mosaic/spaces/space.hpp"
#include "mosaic/spaces/transformer.hpp"

namespace mosaic::spaces {
namespace {

struct Size {
  std::vector<std::int64_t> width, inner, heads;
  std::int64_t attention_width;  ///< of all heads together, where it is fixed
  std::int64_t head_size;        ///< where it follows the heads
  std::int64_t encoder_layers, decoder_layers;
  const char* attention;  ///< "fixed" or "heads"
};

Size size_of(const std::string& name) {
  if (name == "wmt") return {{512, 640}, {1024, 2048, 3072}, {4, 8}, 512, 64, 6, 6, "fixed"};
  return {{128, 192, 256}, {256, 512, 1024}, {2, 4}, 256, 64, 3, 3, "heads"};
}

class Builder {
 public:
  explicit Builder(SpaceBuilder& b) : b_(b) {}

  void operator()() {
    size_ = size_of(b_.option("size", {"small", "wmt"}));
    const auto encoder_layers = b_.option("encoder_layers", size_.encoder_layers, 1, 24);
    const auto decoder_layers = b_.option("decoder_layers", size_.decoder_layers, 1, 24);
    const std::string usual = size_.attention;
    fixed_ = b_.option("attention_width", {usual, usual == "fixed" ? "heads" : "fixed"}) == "fixed";
    drop_ = static_cast<double>(b_.option("dropout_percent", 10, 0, 90)) / 100;
    const TranslationShape task = translation_shape(b_.task());
    vocabulary_ = task.vocabulary;

    const Value source = b_.input(task.source), target = b_.input(task.target);
    const Value mask = b_.node("source_mask", "token_mask", {source});
    const Extent encoder_width = b_.choice("encoder.width", size_.width);
    const Extent decoder_width = b_.choice("decoder.width", size_.width);
    Value x = embedded("encoder", source, encoder_width);
    std::vector<Value> memories;  // the last first
    for (std::int64_t i = 0; i < encoder_layers; ++i) {
      x = b_.scope("encoder.layer" + std::to_string(i), [&] { return encoder_layer(x, mask); });
      memories.insert(memories.begin(), x);
    }
    const std::size_t attended = std::min<std::size_t>(3, memories.size());
    memories.resize(attended);

    const Extent depth = b_.choice("decoder.depth", numbers(decoder_layers));
    Value y = embedded("decoder", target, decoder_width);
    for (std::int64_t i = 0; i < decoder_layers; ++i) {
      const auto body = [&] {
        return b_.scope("decoder.layer" + std::to_string(i),
                        [&] { return decoder_layer(y, memories, mask); });
      };
      y = i == 0 ? body() : b_.when(depth > Extent(i), y, body);
    }
    b_.entry("forward", {source, target},
             {b_.node("logits", "linear", {y}, {{"out", vocabulary_}}, {table(decoder_width)})});
  }

 private:
  static std::vector<std::int64_t> numbers(std::int64_t last) {
    std::vector<std::int64_t> result;
    for (std::int64_t i = 1; i <= last; ++i) result.push_back(i);
    return result;
  }

  WeightUse table(const Extent& width) {
    return b_.weight("weight", "embedding.weight", {vocabulary_, width},
                     {Crop::leading, Crop::leading}, Init::embedding, "embedding");
  }

  Value embedded(const std::string& part, Value tokens, const Extent& width) {
    const Value x = b_.node(part + ".embedding", "embedding", {tokens},
                            {{"out", width}, {"scaled", 1}}, {table(width)});
    return dropout(b_, part + ".dropout",
                   b_.node(part + ".positions", "sinusoid", {x}, {{"width", width}, {"first", 2}}),
                   drop_);
  }

  Value attended(const std::string& name, Value x, Value memory, Value* mask, bool causal) {
    const Extent heads = b_.choice(name + ".heads", size_.heads);
    AttentionOptions options{.heads = heads, .head_size = size_.head_size, .causal = causal};
    if (fixed_) options.head_size = Extent(size_.attention_width) / heads;
    return attention(b_, name, x, memory, options,
                     mask ? std::optional<Value>(*mask) : std::nullopt);
  }

  /// Sum with what a layer made of x, then normalisation.
  Value residual(const std::string& name, Value x, Value made) {
    return layer_norm(b_, name + "_norm",
                      b_.add(name + "_add", {x, dropout(b_, name + "_dropout", made, drop_)}));
  }

  Value ffn(Value x) {
    return residual("ffn", x,
                    feed_forward(b_, "ffn", x,
                                 {.inner = b_.choice("inner", size_.inner), .activation = "relu"}));
  }

  Value encoder_layer(Value x, Value mask) {
    return ffn(residual("attention", x, attended("attention", x, x, &mask, false)));
  }

  Value decoder_layer(Value x, const std::vector<Value>& memories, Value mask) {
    x = residual("attention", x, attended("attention", x, x, nullptr, true));
    Value memory = memories[0];
    if (memories.size() > 1) {
      const Extent count =
          b_.choice("attended_layers", numbers(static_cast<std::int64_t>(memories.size())));
      memory = b_.node("memory", "concatenate_length", memories, {{"count", count}});
      mask = b_.node("memory_mask", "concatenate_length", std::vector<Value>(memories.size(), mask),
                     {{"count", count}});
    }
    return ffn(residual("cross", x, attended("cross", x, memory, &mask, false)));
  }

  SpaceBuilder& b_;
  Size size_;
  bool fixed_ = false;
  double drop_ = 0;
  std::int64_t vocabulary_ = 0;
};

void build(SpaceBuilder& b) { Builder{b}(); }

const core::Registered kEntry{
    space_types(), "hat-translation",
    "encoders and decoders for translation with elastic widths, decoder depth, heads, inner widths "
    "and attention to several encoder layers (HAT's space with size = wmt)",
    SpaceType{.build = build, .text = {}, .parse = {}}};

}  // namespace
}  // namespace mosaic::spaces
