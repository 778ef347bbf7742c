/// Which way up a picture is: cameras store it as the sensor lay and say in the metadata how to
/// turn it.
#pragma once

#include <string>
#include <string_view>

namespace mosaic::tasks {

struct Image;

/// The value 1 (as stored) to 8 of EXIF's tag Orientation; where a block of EXIF does not have the
/// tag, that of an XMP packet. 1 where both are empty or malformed, or the value is no such number.
int orientation(std::string_view exif, std::string_view xmp);

/// EXIF as older programs write it into the text of a PNG ("Raw profile type exif"): three lines,
/// then hexadecimal digits. Empty where it is malformed.
std::string exif_of_profile(std::string_view text);

/// Turns an image that is stored with `orientation` upright.
void turn_upright(Image& image, int orientation);

}  // namespace mosaic::tasks
