#include "images/image_data.hpp"

#include "mosaic/core/hash.hpp"

namespace mosaic::tasks {

std::string checksum(const ImageData& data) {
  core::Hasher hasher;
  for (const ImageSet* set : {&data.train, &data.test}) {
    for (const std::int64_t extent : {set->count, set->height, set->width, set->channels})
      hasher.add(extent);
    hasher.bytes(set->pixels.data(), set->pixels.size());
    for (const std::int64_t label : set->labels) hasher.add(label);
  }
  return hasher.hex();
}

}  // namespace mosaic::tasks
