#include "images/image_files.hpp"

// jpeglib.h needs FILE and size_t from here.
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#include <png.h>

#include <jerror.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <filesystem>
#include <new>
#include <span>
#include <string_view>

#include "folders.hpp"
#include "images/orientation.hpp"
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

/// A pipe would be waited for.
void expect_file(const std::string& path) {
  if (const std::string broken = broken_link(path); !broken.empty())
    throw core::Error(broken, "mend the link or remove it");
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail(path, "is not a regular file");
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

/// What a decoder fills in. Its errors jump out of it, so that nothing in it may need a destructor:
/// whatever does lies here.
struct Decoded {
  Image image;
  std::string exif, xmp;
  std::vector<std::uint8_t> row;    // of four inks
  std::vector<std::uint8_t*> rows;  // of `image`
  bool complete = false;            // what follows the pixels need not be whole
};

bool too_large(const Image& image) { return image.height * image.width > kMaxPixels; }

struct JpegDecoder : jpeg_decompress_struct {
  JpegDecoder() : jpeg_decompress_struct{} {}
  ~JpegDecoder() { jpeg_destroy_decompress(this); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
};

void keep_metadata(const jpeg_decompress_struct& decoder, Decoded& decoded) {
  constexpr std::string_view kExif("Exif\0\0", 6), kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  for (const auto* marker = decoder.marker_list; marker; marker = marker->next) {
    const std::string_view bytes(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (decoded.exif.empty() && bytes.starts_with(kExif)) decoded.exif = bytes;
    if (bytes.starts_with(kXmp)) decoded.xmp = bytes.substr(kXmp.size());
  }
}

/// RGB of four inks, as Pillow mixes them. The file holds 255 - ink: Adobe's programs write it so,
/// and hardly any other writes four inks.
void mix_inks(const std::vector<std::uint8_t>& inks, std::uint8_t* rgb) {
  for (std::size_t i = 0; i + 4 <= inks.size(); i += 4)
    for (std::size_t ink = 0; ink < 3; ++ink) {
      const int light = inks[i + 3];
      *rgb++ = static_cast<std::uint8_t>(light - (light * (255 - inks[i + ink]) + 127) / 255);
    }
}

/// False with errors.text where decoding fails.
bool decode_jpeg(jpeg_decompress_struct& decoder, JpegErrors& errors, const std::string& bytes,
                 Decoded& decoded) {
  if (setjmp(errors.escape) != 0) return false;
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&decoder, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&decoder, TRUE);
  keep_metadata(decoder, decoded);
  Image& image = decoded.image;
  image.height = decoder.image_height;
  image.width = decoder.image_width;
  if (too_large(image)) return true;  // the caller refuses it
  const bool inks = decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK;
  decoder.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  decoder.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&decoder);
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  image.pixels.resize(static_cast<std::size_t>(image.height) * stride);
  if (inks) decoded.row.resize(static_cast<std::size_t>(image.width) * 4);
  while (decoder.output_scanline < decoder.output_height) {
    std::uint8_t* pixels = image.pixels.data() + decoder.output_scanline * stride;
    JSAMPROW row = inks ? decoded.row.data() : pixels;
    jpeg_read_scanlines(&decoder, &row, 1);
    if (inks) mix_inks(decoded.row, pixels);
  }
  jpeg_finish_decompress(&decoder);
  return true;
}

Decoded read_jpeg(const std::string& path, const std::string& bytes) {
  JpegErrors errors = {};
  JpegDecoder decoder;
  decoder.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_fail;
  errors.manager.emit_message = jpeg_warning;
  Decoded decoded;
  if (!decode_jpeg(decoder, errors, bytes, decoded))
    fail(path, message("is not a readable JPEG image ({})", errors.text));
  return decoded;
}

struct PngErrors {
  std::jmp_buf escape;
  char text[256];
};

[[noreturn]] void png_fail(png_structp decoder, png_const_charp text) {
  auto* errors = static_cast<PngErrors*>(png_get_error_ptr(decoder));
  std::snprintf(errors->text, sizeof errors->text, "%s", text);
  std::longjmp(errors->escape, 1);
}

void png_ignore(png_structp, png_const_charp) {}

void png_read_bytes(png_structp decoder, png_bytep to, png_size_t count) {
  auto* left = static_cast<std::string_view*>(png_get_io_ptr(decoder));
  if (count > left->size()) png_error(decoder, "Premature end of PNG file");
  left->copy(reinterpret_cast<char*>(to), count);
  left->remove_prefix(count);
}

struct PngDecoder {
  png_structp decoder = nullptr;
  png_infop info = nullptr;

  PngDecoder() = default;
  ~PngDecoder() { png_destroy_read_struct(&decoder, &info, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
};

void keep_metadata(const PngDecoder& png, Decoded& decoded) {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png.decoder, png.info, &size, &exif) != 0)
    decoded.exif.assign(reinterpret_cast<const char*>(exif), size);
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(png.decoder, png.info, &texts, &count);
  for (const png_text& text : std::span(texts, static_cast<std::size_t>(count))) {
    const std::string_view key = text.key;
    if (key == "XML:com.adobe.xmp") decoded.xmp = text.text;
    if (key == "Raw profile type exif" && decoded.exif.empty())
      decoded.exif = exif_of_profile(text.text);
  }
}

/// False with errors.text where decoding fails. Samples are taken as they stand: what the file says
/// of gamma, colour spaces and transparency does not change them.
bool decode_png(PngDecoder& png, PngErrors& errors, std::string_view& bytes, Decoded& decoded) {
  if (setjmp(errors.escape) != 0) return decoded.complete;
  png.decoder = png_create_read_struct(PNG_LIBPNG_VER_STRING, &errors, png_fail, png_ignore);
  png.info = png_create_info_struct(png.decoder);
  if (!png.info) throw std::bad_alloc();
  png_set_read_fn(png.decoder, &bytes, png_read_bytes);
  png_read_info(png.decoder, png.info);
  Image& image = decoded.image;
  image.height = png_get_image_height(png.decoder, png.info);
  image.width = png_get_image_width(png.decoder, png.info);
  if (too_large(image)) return true;  // the caller refuses it
  png_set_expand(png.decoder);
  png_set_scale_16(png.decoder);
  png_set_gray_to_rgb(png.decoder);
  png_set_strip_alpha(png.decoder);
  png_set_interlace_handling(png.decoder);
  png_read_update_info(png.decoder, png.info);
  const std::size_t stride = png_get_rowbytes(png.decoder, png.info);
  if (stride != static_cast<std::size_t>(image.width) * 3) png_error(png.decoder, "not RGB");
  image.pixels.resize(static_cast<std::size_t>(image.height) * stride);
  for (std::size_t at = 0; at < image.pixels.size(); at += stride)
    decoded.rows.push_back(image.pixels.data() + at);
  png_read_image(png.decoder, decoded.rows.data());
  decoded.complete = true;
  png_read_end(png.decoder, png.info);
  return true;
}

Decoded read_png(const std::string& path, std::string_view bytes) {
  PngErrors errors = {};
  PngDecoder png;
  Decoded decoded;
  if (!decode_png(png, errors, bytes, decoded))
    fail(path, message("is not a readable PNG image ({})", errors.text));
  keep_metadata(png, decoded);
  return decoded;
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
  expect_file(path);
  const std::string bytes = core::read_file(path);
  if (bytes.empty()) fail(path, "is empty (0 bytes)");
  const bool jpeg = bytes.starts_with("\xff\xd8\xff");
  if (!jpeg && !bytes.starts_with("\x89PNG\r\n\x1a\n"))
    fail(path, "is neither a JPEG nor a PNG image");
  Decoded decoded = jpeg ? read_jpeg(path, bytes) : read_png(path, bytes);
  expect_size(path, decoded.image.height, decoded.image.width);
  turn_upright(decoded.image, orientation(decoded.exif, decoded.xmp));
  return std::move(decoded.image);
}

Image resized(const Image& image, std::int64_t size) {
  if (image.height == size && image.width == size) return image;
  // Rows first, kept with 8 more bits, then columns.
  constexpr int kKeptBits = 8;
  const std::vector<Mix> columns = triangle_filter(image.width, size);
  std::vector<std::uint16_t> narrow(static_cast<std::size_t>(image.height * size * 3));
  auto* out = narrow.data();
  for (std::int64_t y = 0; y < image.height; ++y)
    for (const Mix& mix : columns) {
      const std::uint8_t* pixel = image.pixels.data() + (y * image.width + mix.first) * 3;
      std::int64_t sums[3] = {};
      for (const std::int64_t weight : mix.weights)
        for (std::int64_t& sum : sums) sum += weight * *pixel++;
      for (const std::int64_t sum : sums)
        *out++ = static_cast<std::uint16_t>(sum >> (kWeightBits - kKeptBits));
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
