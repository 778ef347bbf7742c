/// IDX files, the format of MNIST and its relatives: a big-endian header and raw bytes, often
/// gzipped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "images/image_data.hpp"

namespace mosaic::tasks {

/// Reads a pair of IDX files (plain or gzipped): images [n, height, width] and labels [n].
/// Throws core::Error that names the file: missing, truncated, another kind of IDX file, bytes left
/// over, no images or images of zero size, different numbers of images and labels, or a label that
/// is not below `classes`.
ImageSet read_idx(const std::string& images_path, const std::string& labels_path,
                  std::int64_t classes);

}  // namespace mosaic::tasks
