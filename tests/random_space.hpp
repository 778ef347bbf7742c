/// Spaces that nobody wrote: programs of SpaceBuilder made by a random stream, for properties that
/// hold for all spaces.
#pragma once

#include <string>

#include "mosaic/core/random.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::random_space {

/// A program of a few layers over images, of the option "seed": convolutions with normalisation and
/// decisions of width and kernel, residuals, layers that may be missing, choices among pieces,
/// weights that two layers share.
class Program {
 public:
  explicit Program(spaces::SpaceBuilder& b)
      : b_(b),
        stream_(static_cast<std::uint64_t>(b.option("seed", 0, 0, 1'000'000)), "random space") {}

  void build() {
    const auto task = spaces::image_shape(b_.task());
    const auto image = b_.input("image", task.image());
    width_ = b_.choice("width", {4, 8});
    auto x = conv("stem", image, width_, 1 + static_cast<std::int64_t>(stream_.below(2)));
    const int layers = 1 + static_cast<int>(stream_.below(4));
    for (int i = 0; i < layers; ++i)
      x = b_.scope("layer" + std::to_string(i), [&] { return piece(x, 2); });
    b_.entry("forward", {image},
             {b_.linear("head", b_.global_avg_pool("pool", x), {.out = task.classes})});
  }

 private:
  spaces::Extent kernel(const std::string& name) {
    return stream_.below(2) == 0 ? spaces::Extent(3) : b_.choice(name + ".kernel", {1, 3, 5});
  }

  spaces::Value conv(const std::string& name, spaces::Value x, const spaces::Extent& out,
                     std::int64_t stride = 1) {
    x = b_.conv(
        name, x,
        {.out = out, .kernel = kernel(name), .stride = stride, .bias = stream_.below(4) == 0});
    if (stream_.below(3) > 0) x = b_.batch_norm(name + ".norm", x);
    return stream_.below(3) > 0 ? b_.relu(name + ".relu", x) : x;
  }

  /// A value of the shape of x; pieces hold pieces, `depth` deep.
  spaces::Value piece(spaces::Value x, int depth) {
    const auto inner = [&](const std::string& name, spaces::Value from) {
      return b_.scope(name, [&] { return piece(from, depth - 1); });
    };
    switch (depth == 0 ? stream_.below(2) : stream_.below(7)) {
      case 0:
        return conv("conv", x, width_);
      case 1: {  // narrow inside
        const auto narrow = b_.choice("inside", {2, 4, 6});
        return conv("up", conv("down", x, narrow), width_);
      }
      case 2:
        return b_.add("sum", {x, inner("residual", x)});
      case 3: {
        const auto there = b_.choice("there", {0, 1});
        return b_.when(there == spaces::Extent(1), x, [&] { return inner("optional", x); });
      }
      case 4:
        return b_.select("which", {{"skip", [&] { return b_.identity("skip", x); }},
                                   {"none", [&] { return b_.zeros("none", x); }},
                                   {"pool", [&] { return b_.max_pool("pool", x, 3, 1, 1); }},
                                   {"layer", [&] { return inner("layer", x); }}});
      case 5: {
        const auto depth_of = b_.choice("depth", {1, 2, 3});
        x = conv("0", x, width_);
        for (int i = 1; i < 3; ++i)
          x = b_.when(depth_of > spaces::Extent(i), x,
                      [&] { return conv(std::to_string(i), x, width_); });
        return x;
      }
      default: {
        const auto left = inner("left", x);
        return b_.add("join", {left, b_.avg_pool("right", x, 3, 1, 1), x});
      }
    }
  }

  spaces::SpaceBuilder& b_;
  core::Stream stream_;
  spaces::Extent width_ = 0;
};

inline const core::Registered kEntry{
    spaces::space_types(), "random-program", "for tests: a program made by the option seed",
    spaces::SpaceType{
        .build = [](spaces::SpaceBuilder& b) { Program(b).build(); }, .text = {}, .parse = {}}};

inline spaces::Space make(int seed,
                          const spaces::TaskShape& task = spaces::image_task({3, 8, 8}, 5)) {
  return spaces::Space::make("random-program", task, {{"seed", std::to_string(seed)}});
}

}  // namespace mosaic::random_space
