/// Makes JPEG and PNG files for tests.
#pragma once

#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#include <png.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace mosaic::tasks::testing {

/// `pixels` is [height, width, channels] with 1 (grey) or 3 channels.
inline std::string jpeg(int height, int width, int channels,
                        const std::vector<std::uint8_t>& pixels) {
  jpeg_error_mgr errors;
  jpeg_compress_struct encoder = {};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &buffer, &size);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.input_components = channels;
  encoder.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, 95, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    auto* row =
        const_cast<JSAMPROW>(pixels.data()) + static_cast<std::size_t>(encoder.next_scanline) *
                                                  static_cast<std::size_t>(width * channels);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  std::free(buffer);
  return bytes;
}

/// `format` is one of libpng's: PNG_FORMAT_GRAY, PNG_FORMAT_RGB, PNG_FORMAT_RGBA.
inline std::string png(int height, int width, unsigned format,
                       const std::vector<std::uint8_t>& pixels) {
  png_image encoder = {};
  encoder.version = PNG_IMAGE_VERSION;
  encoder.height = static_cast<png_uint_32>(height);
  encoder.width = static_cast<png_uint_32>(width);
  encoder.format = format;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&encoder, nullptr, &size, 0, pixels.data(), 0, nullptr);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&encoder, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
    throw std::runtime_error(encoder.message);
  bytes.resize(size);
  return bytes;
}

/// An RGB image of one colour as PNG.
inline std::string plain_png(int height, int width, std::uint8_t red, std::uint8_t green,
                             std::uint8_t blue) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < height * width; ++i) pixels.insert(pixels.end(), {red, green, blue});
  return png(height, width, PNG_FORMAT_RGB, pixels);
}

}  // namespace mosaic::tasks::testing
