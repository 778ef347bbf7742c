/// What a fuzz target is: one function of bytes. Whatever they are, it must come back or throw
/// core::Error; everything else that happens (another exception, a sanitizer's word) is a find.
#pragma once

#include <string>

namespace mosaic::fuzz {

/// Written by each target.
void run(const std::string& bytes);

/// Puts bytes into a file of this process, for readers that take a path; `number` tells several
/// apart.
std::string file_of(const std::string& bytes, int number = 0);

/// Aborts with a text where something does not hold.
void expect(bool holds, const char* what);

}  // namespace mosaic::fuzz
