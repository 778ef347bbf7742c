// A JPEG or PNG file: decoded, turned upright and made small.
#include "images/image_files.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  const auto image = tasks::read_image(file_of(bytes));
  expect(static_cast<std::int64_t>(image.pixels.size()) == image.height * image.width * 3,
         "three bytes a pixel");
  if (image.height * image.width < 1'000'000)
    expect(tasks::resized(image, 8).pixels.size() == 8 * 8 * 3, "as small as asked for");
}
