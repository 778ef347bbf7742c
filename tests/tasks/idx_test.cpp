#include "images/idx.hpp"

#include <zlib.h>

#include <catch2/catch.hpp>

#include "files.hpp"

using namespace mosaic;
using namespace mosaic::tasks;
using namespace mosaic::tasks::testing;
using Catch::Contains;

namespace {

void write_gzip(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace

TEST_CASE("IDX files are read as they were written, plain and gzipped") {
  const TemporaryFolder folder;
  const std::string pixels = ramp(3 * 4 * 5, 7);
  const std::string labels("\x02\x00\x01", 3);
  const std::string plain_images = folder.write("images", idx_images(3, 4, 5, pixels));
  const std::string plain_labels = folder.write("labels", idx_labels(labels));
  write_gzip(folder.file("images.gz"), idx_images(3, 4, 5, pixels));
  write_gzip(folder.file("labels.gz"), idx_labels(labels));

  const ImageSet plain = read_idx(plain_images, plain_labels, 3);
  CHECK(plain.count == 3);
  CHECK(plain.height == 4);
  CHECK(plain.width == 5);
  CHECK(plain.channels == 1);
  CHECK(std::string(plain.pixels.begin(), plain.pixels.end()) == pixels);
  CHECK(plain.labels == std::vector<std::int64_t>{2, 0, 1});
  const ImageSet gzipped = read_idx(folder.file("images.gz"), folder.file("labels.gz"), 3);
  CHECK(gzipped.pixels == plain.pixels);
  CHECK(gzipped.labels == plain.labels);
}

TEST_CASE("malformed IDX files are refused with the file's name and what to do") {
  const TemporaryFolder folder;
  const std::string images = folder.write("images", idx_images(3, 2, 2, ramp(12)));
  const std::string labels = folder.write("labels", idx_labels(ramp(3)));
  const auto message = [&](const std::string& image_file, const std::string& label_file) {
    return refusal([&] { read_idx(image_file, label_file, 3); });
  };

  SECTION("missing") {
    CHECK_THAT(message(folder.path() + "/none", labels), Contains(folder.path() + "/none"));
  }
  SECTION("empty file") {
    const std::string file = folder.write("bad", "");
    CHECK(message(file, labels) ==
          file +
              " is truncated: 0 bytes are too few for an IDX header: fetch or "
              "install the file again");
  }
  SECTION("header cut short") {
    const std::string file = folder.write("bad", big_endian(0x803) + "ab");
    CHECK_THAT(message(file, labels), Contains("bad is truncated: 6 bytes are too few"));
  }
  SECTION("labels where images should be") {
    CHECK(message(labels, labels) ==
          labels +
              " is not an IDX file of images: it starts with 0x00000801 (labels), expected "
              "0x00000803: check that the file lies under its own name, or fetch it again");
  }
  SECTION("images where labels should be") {
    CHECK_THAT(message(images, images),
               Contains("is not an IDX file of labels: it starts with 0x00000803 (images)"));
  }
  SECTION("a foreign file") {
    const std::string file = folder.write("bad", "<!DOCTYPE html>");
    CHECK_THAT(message(file, labels), Contains("starts with 0x3c21444f (something else)"));
  }
  SECTION("truncated pixels") {
    const std::string file = folder.write("bad", idx_images(3, 2, 2, ramp(11)));
    CHECK(message(file, labels) ==
          file +
              " is truncated: its header promises 3 images of 2x2, 11 bytes "
              "follow it: fetch or install the file again");
  }
  SECTION("truncated labels") {
    const std::string file = folder.write("bad", big_endian(0x801) + big_endian(3) + ramp(2));
    CHECK_THAT(message(images, file),
               Contains("bad is truncated: its header promises 3 labels, 2 bytes follow it"));
  }
  SECTION("bytes left over") {
    const std::string file = folder.write("bad", idx_images(3, 2, 2, ramp(13)));
    CHECK_THAT(message(file, labels), Contains("bad has bytes left over"));
  }
  SECTION("extents beyond 64 bits") {
    const std::string file =
        folder.write("bad", idx_images(0xffffffff, 0xffffffff, 0xffffffff, ramp(12)));
    CHECK_THAT(message(file, labels), Contains("bad is truncated: its header promises 4294967295"));
  }
  SECTION("no images") {
    const std::string file = folder.write("bad", idx_images(0, 28, 28, ""));
    CHECK_THAT(message(file, labels),
               Contains("bad is empty: its header promises 0 images of 28x28"));
  }
  SECTION("images of zero size") {
    const std::string file = folder.write("bad", idx_images(3, 0, 28, ""));
    CHECK_THAT(message(file, labels),
               Contains("bad is empty: its header promises 3 images of 0x28"));
  }
  SECTION("as many labels as images") {
    const std::string file = folder.write("bad", idx_labels(ramp(2)));
    CHECK(message(images, file) == images + " holds 3 images but " + file +
                                       " holds 2 labels: the two files must belong together: fetch "
                                       "both again");
  }
  SECTION("label out of range") {
    const std::string file = folder.write("bad", idx_labels(std::string("\x00\x03\x01", 3)));
    CHECK_THAT(message(images, file),
               Contains("bad: label 3 of image 1 is not one of the 3 classes 0..2"));
  }
  SECTION("truncated gzip stream") {
    const std::string whole = folder.file("images.gz");
    write_gzip(whole, idx_images(100, 28, 28, ramp(78400, 97)));
    std::filesystem::resize_file(whole, std::filesystem::file_size(whole) / 2);
    CHECK_THAT(message(whole, labels), Contains("images.gz"));
  }
}
