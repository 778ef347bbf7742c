/// Decoding of single image files, and resizing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mosaic::tasks {

/// RGB bytes, [height, width, 3].
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;
};

/// Decodes a JPEG or PNG file (told apart by content, not by name) to what Pillow's
/// ImageOps.exif_transpose() and convert("RGB") give, to within 1: turned upright, grey and
/// palettes expanded, alpha dropped, gamma and colour profiles ignored, the four inks of CMYK
/// mixed. 16 bits become 8 by division by 257 (Pillow cuts grey ones off at 255). Throws
/// core::Error that names the file: missing, a link to nothing, empty, neither format, truncated or
/// corrupt (also where the decoder could guess on), or too large.
Image read_image(const std::string& path);

/// Bilinear resizing to size x size; where the image shrinks, the filter widens with it, so that
/// every pixel counts (no aliasing). In integers: the same on every machine.
Image resized(const Image& image, std::int64_t size);

}  // namespace mosaic::tasks
