// Uses the library from outside: find_package(Mosaic), one header, one call.
#include <iostream>

#include "mosaic/core/hash.hpp"

int main() {
  const auto hash = mosaic::core::hash_hex("mosaic");
  std::cout << "hash of 'mosaic': " << hash << '\n';
  return hash.size() == 32 ? 0 : 1;
}
