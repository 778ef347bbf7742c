/// Decoded images in memory, as the readers of file formats hand them over. Free of torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mosaic::tasks {

/// `count` images of one size: `pixels` is [count, height, width, channels], `labels` is [count].
struct ImageSet {
  std::int64_t count = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;

  std::int64_t pixels_per_image() const { return height * width; }
  std::int64_t bytes_per_image() const { return height * width * channels; }
};

/// A whole data set. An empty `test` asks for a test split to be taken from `train`.
struct ImageData {
  ImageSet train;
  ImageSet test;
  std::vector<std::string> class_names;
  std::string preprocessing;  ///< how files became these pixels, in words; empty: as they stand
};

/// Hash over shapes, pixels and labels of both parts, in the order they were read.
std::string checksum(const ImageData& data);

}  // namespace mosaic::tasks
