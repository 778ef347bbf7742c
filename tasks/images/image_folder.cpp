// Any folder of images: train/<class>/*.jpg, and test/ or val/ alike.
#include "images/image_classification.hpp"
#include "images/image_tree.hpp"
#include "mosaic/core/error.hpp"

namespace mosaic::tasks {

namespace {

/// The crop's frame grows with the image: 4 pixels for 32, as for CIFAR-10.
std::int64_t padding_for(std::int64_t image_size) { return image_size / 8; }

std::unique_ptr<Task> make(const TaskSettings& settings) {
  if (settings.path.empty())
    throw core::UsageError("the task image-folder needs a folder",
                           "set [task] path to one that holds train/<class>/*.jpg");
  return std::make_unique<ImageClassification>(
      "image-folder", settings, read_image_tree(settings.path, settings.image_size),
      Augmentation{.padding = padding_for(settings.image_size), .flip = true});
}

constexpr const char* kExplanation =
    R"(  path/train/<class>/*.jpg   the folder's name is the class; .jpg, .jpeg and .png are read
  path/test/<class>/*.jpg    the test split, or val/; where there is neither, a tenth of train/
The validation split, by which the search judges, is drawn from train/. Every image becomes
image_size x image_size RGB: turned upright, squeezed where it is not square, grey ones with three
equal channels. Training crops and flips them at random, left to right, unless augment = false.
docs/own-images.md goes through it.)";

const core::Registered kEntry{
    tasks(), "image-folder", "any folder train/<class>/*.{jpg,png}, resized to image_size (RGB)",
    TaskType{make, classification_metrics(), kExplanation, {"augment", "image_size"}}};

}  // namespace

}  // namespace mosaic::tasks
