#include "mosaic/supernet/networks/safetensors.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "mosaic/core/error.hpp"

using namespace mosaic;
using Catch::Contains;

TEST_CASE("a file of tensors whose shapes lie is called damaged, before memory is taken") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("mosaic_shapes_" + std::to_string(getpid()) + ".safetensors");
  for (const char* shape : {"[-1]", "[0,-4]", "[9000000000000000000]", "[4294967296,4294967296,4]",
                            "[1000000000000]", "[3]"}) {
    const std::string header =
        std::string(R"({"x":{"dtype":"F32","shape":)") + shape + R"(,"data_offsets":[0,16]}})";
    const std::uint64_t size = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), sizeof size);
    file << header << std::string(16, '\0');
    file.close();
    CHECK_THROWS_WITH(supernet::load_tensors(path.string()),
                      Contains("tensor 'x' has the wrong size"));
  }
  std::filesystem::remove(path);
}
