#include "images/idx.hpp"

#include <cstring>

#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::tasks {

namespace {

constexpr std::uint32_t kImages = 0x00000803;  // unsigned bytes, three axes
constexpr std::uint32_t kLabels = 0x00000801;  // unsigned bytes, one axis
constexpr const char* kFetchAgain = "fetch or install the file again";

std::uint32_t big_endian(const std::string& bytes, std::size_t position) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[position + i]);
  return value;
}

std::string hexadecimal(std::uint32_t value) {
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[value >> shift & 0xf];
  return text;
}

std::string kind(std::uint32_t magic) {
  if (magic == kImages) return "images";
  if (magic == kLabels) return "labels";
  return "something else";
}

struct Idx {
  std::string bytes;
  std::vector<std::int64_t> shape;
  std::size_t header = 0;
};

Idx read(const std::string& path, std::uint32_t expected) {
  Idx idx;
  idx.bytes = core::read_gzip(path);
  const std::size_t size = idx.bytes.size();
  if (size < 4)
    throw core::Error(
        message("{} is truncated: {} bytes are too few for an IDX header", path, size),
        kFetchAgain);
  const std::uint32_t magic = big_endian(idx.bytes, 0);
  if (magic != expected)
    throw core::Error(
        message("{} is not an IDX file of {}: it starts with {} ({}), expected {}", path,
                kind(expected), hexadecimal(magic), kind(magic), hexadecimal(expected)),
        "check that the file lies under its own name, or fetch it again");
  const std::size_t axes = magic & 0xff;
  idx.header = 4 + 4 * axes;
  if (size < idx.header)
    throw core::Error(
        message("{} is truncated: {} bytes are too few for an IDX header", path, size),
        kFetchAgain);
  for (std::size_t axis = 0; axis < axes; ++axis)
    idx.shape.push_back(big_endian(idx.bytes, 4 + 4 * axis));
  return idx;
}

/// Compares the bytes after the header with what the header promises.
void expect_size(const Idx& idx, const std::string& path, const std::string& promise) {
  for (const std::int64_t extent : idx.shape)
    if (extent == 0)
      throw core::Error(message("{} is empty: its header promises {}", path, promise), kFetchAgain);
  const std::uint64_t found = idx.bytes.size() - idx.header;
  std::uint64_t expected = 1;
  for (const std::int64_t extent : idx.shape) {
    expected *= static_cast<std::uint64_t>(extent);
    if (expected > found) break;  // a nonsense header must not overflow
  }
  if (expected != found)
    throw core::Error(message("{} {}: its header promises {}, {} bytes follow it", path,
                              found < expected ? "is truncated" : "has bytes left over", promise,
                              core::with_commas(static_cast<long long>(found))),
                      kFetchAgain);
}

}  // namespace

ImageSet read_idx(const std::string& images_path, const std::string& labels_path,
                  std::int64_t classes) {
  const Idx images = read(images_path, kImages);
  expect_size(images, images_path,
              message("{} images of {}x{}", images.shape[0], images.shape[1], images.shape[2]));
  const Idx labels = read(labels_path, kLabels);
  expect_size(labels, labels_path, message("{} labels", labels.shape[0]));
  if (images.shape[0] != labels.shape[0])
    throw core::Error(message("{} holds {} images but {} holds {} labels", images_path,
                              images.shape[0], labels_path, labels.shape[0]),
                      "the two files must belong together: fetch both again");

  ImageSet set;
  set.count = images.shape[0];
  set.height = images.shape[1];
  set.width = images.shape[2];
  set.channels = 1;
  set.pixels.resize(images.bytes.size() - images.header);
  std::memcpy(set.pixels.data(), images.bytes.data() + images.header, set.pixels.size());
  set.labels.resize(static_cast<std::size_t>(set.count));
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    const std::int64_t label = static_cast<unsigned char>(labels.bytes[labels.header + i]);
    if (label >= classes)
      throw core::Error(message("{}: label {} of image {} is not one of the {} classes 0..{}",
                                labels_path, label, i, classes, classes - 1),
                        kFetchAgain);
    set.labels[i] = label;
  }
  return set;
}

}  // namespace mosaic::tasks
