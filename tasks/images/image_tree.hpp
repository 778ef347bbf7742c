/// Folders of images: train/<class>/*.jpg and, where there is one, test/<class>/*.jpg.
#pragma once

#include <cstdint>
#include <string>

#include "images/image_data.hpp"

namespace mosaic::tasks {

/// Reads `folder`/train and `folder`/test (or val; without either `test` stays empty), every image
/// resized to size x size RGB, on two threads. Classes are the folders below train, files the .jpg,
/// .jpeg and .png in them, both sorted as bytes; hidden files are passed over, what else is left
/// out is told in a line. Throws core::Error that names the folder or file: nothing there, fewer
/// than two classes, a class without images, a test class that is not in train, a name that is not
/// UTF-8, more than fits in memory, or images that cannot be read (all of them, after all were
/// tried).
ImageData read_image_tree(const std::string& folder, std::int64_t size);

}  // namespace mosaic::tasks
