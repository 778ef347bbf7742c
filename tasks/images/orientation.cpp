#include "images/orientation.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "images/image_files.hpp"

namespace mosaic::tasks {

namespace {

/// Numbers of a block of EXIF, which is a TIFF file without pixels; 0 beyond its end.
struct Tiff {
  std::string_view bytes;
  bool big_endian = false;

  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes[at + (big_endian ? i : size - 1 - i)]);
    return value;
  }
};

constexpr std::uint32_t kOrientation = 0x0112, kShort = 3, kLong = 4, kSignedShort = 8,
                        kSignedLong = 9;

/// The value of the tag; nothing where there is none.
std::optional<std::uint32_t> of_exif(std::string_view exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  if (exif.starts_with(kPrefix)) exif.remove_prefix(kPrefix.size());
  if (!exif.starts_with("II") && !exif.starts_with("MM")) return {};
  const Tiff tiff{exif, exif.starts_with("MM")};
  if (tiff.number(2, 2) != 42) return {};
  const std::size_t directory = tiff.number(4, 4);
  const std::size_t entries = tiff.number(directory, 2);
  for (std::size_t entry = 0; entry < entries; ++entry) {
    const std::size_t at = directory + 2 + 12 * entry;
    if (tiff.number(at, 2) != kOrientation) continue;
    const std::uint32_t type = tiff.number(at + 2, 2), count = tiff.number(at + 4, 4);
    if (count == 1 && (type == kShort || type == kSignedShort)) return tiff.number(at + 8, 2);
    if (count == 1 && (type == kLong || type == kSignedLong)) return tiff.number(at + 8, 4);
  }
  return {};
}

std::optional<std::uint32_t> of_xmp(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at)) {
    at += kName.size();
    std::string_view value = xmp.substr(at);
    if (!value.starts_with("=\"") && !value.starts_with('>')) continue;
    value.remove_prefix(value.starts_with('>') ? 1 : 2);
    if (!value.empty() && value[0] >= '0' && value[0] <= '9')
      return static_cast<std::uint32_t>(value[0] - '0');
  }
  return {};
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

int orientation(std::string_view exif, std::string_view xmp) {
  auto value = of_exif(exif);
  if (!value) value = of_xmp(xmp);
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

std::string exif_of_profile(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return {};
    text.remove_prefix(end + 1);
  }
  std::string exif;
  int high = -1;
  for (const char c : text) {
    if (c == '\n') continue;
    const int value = digit(c);
    if (value < 0) return {};
    if (high >= 0) exif += static_cast<char>(high << 4 | value);
    high = high >= 0 ? -1 : value;
  }
  return exif;
}

void turn_upright(Image& image, int orientation) {
  if (orientation == 1) return;
  const bool lies = orientation >= 5;
  const bool mirrored_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirrored_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result;
  result.height = lies ? image.width : image.height;
  result.width = lies ? image.height : image.width;
  result.pixels.reserve(image.pixels.size());
  for (std::int64_t y = 0; y < result.height; ++y)
    for (std::int64_t x = 0; x < result.width; ++x) {
      const std::int64_t column = lies ? y : x, row = lies ? x : y;
      const std::int64_t from_x = mirrored_x ? image.width - 1 - column : column;
      const std::int64_t from_y = mirrored_y ? image.height - 1 - row : row;
      const auto* pixel = image.pixels.data() + (from_y * image.width + from_x) * 3;
      result.pixels.insert(result.pixels.end(), pixel, pixel + 3);
    }
  image = std::move(result);
}

}  // namespace mosaic::tasks
