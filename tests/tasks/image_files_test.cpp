#include "images/image_files.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "files.hpp"
#include "images.hpp"
#include "images/orientation.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/random.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

/// A smooth colour image, which JPEG keeps well.
std::vector<std::uint8_t> smooth(int height, int width) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {60 + 3 * x, 200 - 2 * y, 90 + x + y})
        pixels.push_back(static_cast<std::uint8_t>(value));
  return pixels;
}

}  // namespace

TEST_CASE("a PNG is read exactly") {
  const TemporaryFolder folder;
  const auto pixels = smooth(7, 9);
  const Image image = read_image(folder.write("a.png", png(7, 9, PNG_FORMAT_RGB, pixels)));
  CHECK(image.height == 7);
  CHECK(image.width == 9);
  CHECK(image.pixels == pixels);
}

TEST_CASE("a JPEG is read to within its quality") {
  const TemporaryFolder folder;
  const auto pixels = smooth(33, 20);
  const Image image = read_image(folder.write("a.jpg", jpeg(33, 20, 3, pixels)));
  CHECK(image.height == 33);
  CHECK(image.width == 20);
  REQUIRE(image.pixels.size() == pixels.size());
  double error = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) error += std::abs(image.pixels[i] - pixels[i]);
  CHECK(error / static_cast<double>(pixels.size()) < 3);
}

TEST_CASE("grey images get three equal channels") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> grey(16, 77);
  const std::vector<std::uint8_t> expected(48, 77);
  CHECK(read_image(folder.write("a.png", png(4, 4, PNG_FORMAT_GRAY, grey))).pixels == expected);
  CHECK(read_image(folder.write("a.jpg", jpeg(4, 4, 1, grey))).pixels == expected);
}

TEST_CASE("every kind of picture is read as Pillow reads it, file by file") {
  const std::string folder = std::string(std::getenv("MOSAIC_SOURCE_DIR")) + "/tests/tasks/data/";
  std::ifstream lines(folder + "expected.txt");  // written by make_images.py
  std::string name, hexadecimal;
  std::int64_t height = 0, width = 0;
  int files = 0;
  while (lines >> name >> height >> width >> hexadecimal) {
    CAPTURE(name);
    const Image image = read_image(folder + name);
    CHECK(image.height == height);
    CHECK(image.width == width);
    REQUIRE(hexadecimal.size() == 2 * image.pixels.size());
    int largest = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      largest = std::max(largest, std::abs(image.pixels[i] -
                                           std::stoi(hexadecimal.substr(2 * i, 2), nullptr, 16)));
    CHECK(largest <= 1);
    ++files;
  }
  CHECK(files == 59);
}

// Until now transparent pixels came out black. Pillow's convert("RGB"), torchvision and OpenCV drop
// alpha, and so must what trains a network that is fed by them.
TEST_CASE("alpha is dropped") {
  const TemporaryFolder folder;
  const std::string file =
      folder.write("a.png", png(1, 2, PNG_FORMAT_RGBA, {200, 100, 50, 255, 200, 100, 50, 0}));
  CHECK(read_image(file).pixels == std::vector<std::uint8_t>{200, 100, 50, 200, 100, 50});
}

TEST_CASE("a 16-bit ramp is the same ramp as in 8 bits") {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> bytes, narrow;
  for (int i = 0; i < 256; ++i) {
    narrow.insert(narrow.end(), 3, static_cast<std::uint8_t>(i));
    bytes.insert(bytes.end(), 2, static_cast<std::uint8_t>(i));  // i * 257, whatever the byte order
  }
  png_image encoder = {};
  encoder.version = PNG_IMAGE_VERSION;
  encoder.height = 1;
  encoder.width = 256;
  encoder.format = PNG_FORMAT_LINEAR_Y;
  const std::string file = folder.file("wide.png");
  REQUIRE(png_image_write_to_file(&encoder, file.c_str(), 0, bytes.data(), 0, nullptr) != 0);
  CHECK(read_image(file).pixels == narrow);
}

TEST_CASE("metadata that are malformed leave a picture as it is stored") {
  using namespace std::string_literals;
  const std::string good = "II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"s;
  CHECK(orientation(good, "") == 6);
  CHECK(orientation("Exif\0\0"s + good, "") == 6);
  for (std::size_t size = 0; size < 20; ++size)
    CHECK(orientation(std::string_view(good).substr(0, size), "") == 1);
  core::Stream stream(7, "hostile metadata", 0);
  for (int round = 0; round < 20000; ++round) {
    std::string bad = good;
    for (int change = 0; change < 3; ++change)
      bad[stream.below(bad.size())] = static_cast<char>(stream.below(256));
    const int value = orientation(bad, "");
    CHECK((value >= 1 && value <= 8));
  }
  std::string far = good;
  far.replace(4, 4, "\xff\xff\xff\xff");  // the directory lies behind the end
  CHECK(orientation(far, "") == 1);
  std::string many = good;
  many.replace(8, 2, "\xff\xff");  // 65,535 entries
  many[10] = 0;
  CHECK(orientation(many, "") == 1);

  CHECK(orientation("", "tiff:Orientation=\"8\"") == 8);
  CHECK(orientation("", "<tiff:Orientation>3<") == 3);
  CHECK(orientation(good, "<tiff:Orientation>3<") == 6);
  for (const char* xmp : {"tiff:Orientation", "tiff:Orientation=", "tiff:Orientation=\"",
                          "tiff:Orientation=\"x", "<tiff:Orientation>", "<tiff:Orientation>9<"})
    CHECK(orientation("", xmp) == 1);

  CHECK(exif_of_profile("\nexif\n  4\n49492A00\n0a\n") == "II*\0\n"s);
  for (const char* text : {"", "\n\n", "\nexif\n 4\n4x", "49492a00"})
    CHECK(exif_of_profile(text).empty());
}

TEST_CASE("a picture may miss what follows its pixels") {
  const TemporaryFolder folder;
  const std::string whole = png(7, 9, PNG_FORMAT_RGB, smooth(7, 9));
  CHECK(read_image(folder.write("a.png", whole.substr(0, whole.size() - 12))).pixels ==
        smooth(7, 9));
}

TEST_CASE("what a file is goes by its content, not its name") {
  const TemporaryFolder folder;
  CHECK(read_image(folder.write("a.jpg", plain_png(2, 2, 1, 2, 3))).pixels[2] == 3);
}

TEST_CASE("images that cannot be read whole are refused by name") {
  const TemporaryFolder folder;
  const auto message = [](const std::string& path) { return refusal([&] { read_image(path); }); };
  const std::string whole_jpeg = jpeg(32, 32, 3, smooth(32, 32));
  const std::string whole_png = png(32, 32, PNG_FORMAT_RGB, smooth(32, 32));

  SECTION("missing") { CHECK_THAT(message(folder.path() + "/none.jpg"), Contains("none.jpg")); }
  SECTION("a link to nothing") {
    const std::string link = folder.file("a.jpg");
    std::filesystem::create_symlink("gone.jpg", link);
    CHECK(message(link) ==
          link + " is a link to gone.jpg, which does not exist: mend the link or remove it");
  }
  SECTION("a pipe") {
    const std::string pipe = folder.file("a.jpg");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THAT(message(pipe), Contains("a.jpg is not a regular file"));
  }
  SECTION("empty") {
    const std::string file = folder.write("a.jpg", "");
    CHECK(message(file) == file + " is empty (0 bytes): replace the file or remove it");
  }
  SECTION("another format") {
    const std::string file = folder.write("a.jpg", "GIF89a...");
    CHECK(message(file) ==
          file + " is neither a JPEG nor a PNG image: replace the file or remove it");
  }
  SECTION("JPEG cut anywhere") {
    for (const std::size_t size : {whole_jpeg.size() - 2, whole_jpeg.size() - 40, std::size_t{200},
                                   std::size_t{20}, std::size_t{3}}) {
      const std::string file = folder.write("a.jpg", whole_jpeg.substr(0, size));
      CHECK_THAT(message(file), Contains(file + " is not a readable JPEG image (Premature end"));
      CHECK_THAT(message(file), Contains("): replace the file or remove it"));
    }
  }
  SECTION("JPEG with bytes lost in the middle") {
    std::string broken = whole_jpeg;
    broken.erase(broken.size() - 60, 30);
    CHECK_THAT(message(folder.write("a.jpg", broken)),
               Contains("a.jpg is not a readable JPEG image (Corrupt JPEG data"));
  }
  SECTION("JPEG of zero size") {
    std::string zero = whole_jpeg;
    const std::size_t frame = zero.find("\xff\xc0");
    REQUIRE(frame != std::string::npos);
    zero[frame + 5] = zero[frame + 6] = '\0';  // height
    CHECK_THAT(message(folder.write("a.jpg", zero)), Contains("Empty JPEG image"));
  }
  SECTION("JPEG of absurd size") {
    std::string huge = whole_jpeg;
    const std::size_t frame = huge.find("\xff\xc0");
    for (std::size_t i = 5; i < 9; ++i) huge[frame + i] = '\xf0';
    CHECK_THAT(message(folder.write("a.jpg", huge)),
               Contains("a.jpg is too large: 61680x61680 pixels, at most 100000000 in all"));
  }
  SECTION("PNG cut anywhere") {
    for (const std::size_t size : {whole_png.size() - 30, whole_png.size() / 2, std::size_t{20}}) {
      const std::string file = folder.write("a.png", whole_png.substr(0, size));
      CHECK_THAT(message(file), Contains(file + " is not a readable PNG image ("));
    }
  }
  SECTION("PNG of absurd size") {
    std::string huge = whole_png;
    for (std::size_t i = 16; i < 24; ++i) huge[i] = i % 4 == 2 ? '\x40' : '\0';  // 16384 each
    const auto check = crc32(0, reinterpret_cast<const Bytef*>(huge.data()) + 12, 17);
    huge.replace(29, 4, big_endian(static_cast<std::uint32_t>(check)));
    CHECK_THAT(message(folder.write("a.png", huge)),
               Contains("a.png is too large: 16384x16384 pixels, at most 100000000 in all"));
  }
  SECTION("four inks cut short") {
    const std::string inks = core::read_file(std::string(std::getenv("MOSAIC_SOURCE_DIR")) +
                                             "/tests/tasks/data/cmyk.jpg");
    CHECK_THAT(message(folder.write("a.jpg", inks.substr(0, inks.size() - 9))),
               Contains("a.jpg is not a readable JPEG image (Premature end"));
  }
  SECTION("PNG with a bit changed") {
    std::string broken = whole_png;
    broken[whole_png.size() / 2] = static_cast<char>(broken[whole_png.size() / 2] ^ 1);
    CHECK_THAT(message(folder.write("a.png", broken)),
               Contains("a.png is not a readable PNG image (IDAT: "));
  }
}

TEST_CASE(
    "resizing interpolates linearly when it enlarges, and averages all pixels when it shrinks") {
  const auto row = [](const std::vector<std::uint8_t>& values) {
    Image image;
    image.height = image.width = static_cast<std::int64_t>(values.size());
    for (std::size_t y = 0; y < values.size(); ++y)
      for (const std::uint8_t value : values) image.pixels.insert(image.pixels.end(), 3, value);
    return image;
  };
  CHECK(resized(row({0, 100}), 4).pixels == row({0, 25, 75, 100}).pixels);
  // Triangle of half-width 2: weights 3/7, 3/7, 1/7, as Pillow's BILINEAR.
  CHECK(resized(row({0, 0, 100, 100}), 2).pixels == row({14, 86}).pixels);
  CHECK(resized(row({9, 9, 9, 9, 9}), 3).pixels == row({9, 9, 9}).pixels);
  CHECK(resized(row({255, 255, 255}), 7).pixels == row({255, 255, 255, 255, 255, 255, 255}).pixels);
  CHECK(resized(row({1, 2, 3}), 3).pixels == row({1, 2, 3}).pixels);
}

TEST_CASE("resizing goes along both axes") {
  Image image;
  image.height = 2;
  image.width = 1;
  image.pixels = {0, 0, 0, 100, 0, 200};
  const Image result = resized(image, 4);
  CHECK(result.height == 4);
  CHECK(result.width == 4);
  const std::vector<std::uint8_t> red{0, 25, 75, 100};
  for (std::size_t y = 0; y < 4; ++y)
    for (std::size_t x = 0; x < 4; ++x) {
      CHECK(result.pixels[(y * 4 + x) * 3] == red[y]);
      CHECK(result.pixels[(y * 4 + x) * 3 + 2] == 2 * red[y]);
    }
}
