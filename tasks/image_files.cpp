#include "image_files.hpp"

// jpeglib.h needs FILE and size_t from here.
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#include <png.h>

#include <jerror.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>

#include "message.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace mosaic::tasks {

namespace {

/// Larger images are a mistake or an attack, not training data.
constexpr std::int64_t kMaxPixels = 100'000'000;

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw core::Error(message("{} {}", path, problem), "replace the file or remove it");
}

void expect_size(const std::string& path, std::int64_t height, std::int64_t width) {
  if (height == 0 || width == 0)
    fail(path, message("is an image of zero size ({}x{})", height, width));
  if (height * width > kMaxPixels)
    fail(path, message("is too large: {}x{} pixels, at most {} in all", height, width, kMaxPixels));
}

struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
  std::jmp_buf escape;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void jpeg_fail(j_common_ptr decoder) {
  auto* errors = reinterpret_cast<JpegErrors*>(decoder->err);
  decoder->err->format_message(decoder, errors->text);
  std::longjmp(errors->escape, 1);
}

/// libjpeg goes on after corrupt data and fills in grey: here that is an error. Warnings that cost
/// no pixels are ignored.
void jpeg_warning(j_common_ptr decoder, int level) {
  const int code = decoder->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM &&
      code != JWRN_JFIF_MAJOR)
    jpeg_fail(decoder);
}

/// False with errors.text where decoding fails. Nothing in here may need a destructor: errors jump
/// out.
bool decode_jpeg(jpeg_decompress_struct& decoder, JpegErrors& errors, const std::string& bytes,
                 Image& image) {
  if (setjmp(errors.escape) != 0) return false;
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder, TRUE);
  image.height = decoder.image_height;
  image.width = decoder.image_width;
  if (image.height * image.width > kMaxPixels) return true;  // the caller refuses it
  decoder.out_color_space = JCS_RGB;
  decoder.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&decoder);
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  image.pixels.resize(static_cast<std::size_t>(image.height) * stride);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW row = image.pixels.data() + decoder.output_scanline * stride;
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  return true;
}

Image read_jpeg(const std::string& path, const std::string& bytes) {
  JpegErrors errors = {};
  jpeg_decompress_struct decoder = {};
  decoder.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_fail;
  errors.manager.emit_message = jpeg_warning;
  jpeg_create_decompress(&decoder);
  Image image;
  const bool decoded = decode_jpeg(decoder, errors, bytes, image);
  jpeg_destroy_decompress(&decoder);
  if (!decoded) fail(path, message("is not a readable JPEG image ({})", errors.text));
  expect_size(path, image.height, image.width);
  return image;
}

Image read_png(const std::string& path, const std::string& bytes) {
  png_image decoder = {};
  decoder.version = PNG_IMAGE_VERSION;
  Image image;
  if (png_image_begin_read_from_memory(&decoder, bytes.data(), bytes.size()) == 0)
    fail(path, message("is not a readable PNG image ({})", decoder.message));
  decoder.format = PNG_FORMAT_RGB;
  image.height = decoder.height;
  image.width = decoder.width;
  if (image.height * image.width > kMaxPixels) png_image_free(&decoder);
  expect_size(path, image.height, image.width);
  image.pixels.resize(PNG_IMAGE_SIZE(decoder));
  const png_color black = {0, 0, 0};
  if (png_image_finish_read(&decoder, &black, image.pixels.data(), 0, nullptr) == 0)
    fail(path, message("is not a readable PNG image ({})", decoder.message));
  return image;
}

/// The pixels that one output pixel is mixed of, with weights that sum to 1 << kWeightBits.
constexpr int kWeightBits = 16;
struct Mix {
  std::int64_t first = 0;
  std::vector<std::int64_t> weights;
};

std::vector<Mix> triangle_filter(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double support = std::max(1.0, scale);
  std::vector<Mix> mixes;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    Mix mix;
    mix.first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(center - support)));
    const auto end = std::min(from, static_cast<std::int64_t>(std::ceil(center + support)));
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t k = mix.first; k < end; ++k) {
      const double distance = std::abs(static_cast<double>(k) + 0.5 - center) / support;
      weights.push_back(std::max(0.0, 1.0 - distance));
      sum += weights.back();
    }
    std::int64_t left = 1 << kWeightBits;
    for (const double weight : weights) {
      mix.weights.push_back(std::llround(weight / sum * (1 << kWeightBits)));
      left -= mix.weights.back();
    }
    *std::max_element(mix.weights.begin(), mix.weights.end()) += left;
    mixes.push_back(std::move(mix));
  }
  return mixes;
}

}  // namespace

Image read_image(const std::string& path) {
  const std::string bytes = core::read_file(path);
  if (bytes.empty()) fail(path, "is empty (0 bytes)");
  if (bytes.starts_with("\xff\xd8\xff")) return read_jpeg(path, bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return read_png(path, bytes);
  fail(path, "is neither a JPEG nor a PNG image");
}

Image resized(const Image& image, std::int64_t size) {
  if (image.height == size && image.width == size) return image;
  // Rows first, kept with 8 more bits, then columns.
  constexpr int kKeptBits = 8;
  const std::vector<Mix> columns = triangle_filter(image.width, size);
  std::vector<std::int64_t> narrow(static_cast<std::size_t>(image.height * size * 3));
  auto* out = narrow.data();
  for (std::int64_t y = 0; y < image.height; ++y)
    for (const Mix& mix : columns) {
      const std::uint8_t* pixel = image.pixels.data() + (y * image.width + mix.first) * 3;
      std::int64_t sums[3] = {};
      for (const std::int64_t weight : mix.weights)
        for (std::int64_t& sum : sums) sum += weight * *pixel++;
      for (const std::int64_t sum : sums) *out++ = sum >> (kWeightBits - kKeptBits);
    }
  Image result;
  result.height = result.width = size;
  result.pixels.reserve(static_cast<std::size_t>(size * size * 3));
  constexpr int kShift = kWeightBits + kKeptBits;
  for (const Mix& mix : triangle_filter(image.height, size))
    for (std::int64_t x = 0; x < size * 3; ++x) {
      std::int64_t sum = std::int64_t{1} << (kShift - 1);
      for (std::size_t k = 0; k < mix.weights.size(); ++k)
        sum += mix.weights[k] * narrow[static_cast<std::size_t>(
                                    (mix.first + static_cast<std::int64_t>(k)) * size * 3 + x)];
      result.pixels.push_back(static_cast<std::uint8_t>(sum >> kShift));
    }
  return result;
}

}  // namespace mosaic::tasks
