// A safetensors file: read, written and read again.
#include <ATen/ATen.h>

#include "mosaic/supernet/networks/safetensors.hpp"
#include "target.hpp"

void mosaic::fuzz::run(const std::string& bytes) {
  const auto file = supernet::load_tensors(file_of(bytes));
  const std::string copy = file_of("", 1);
  supernet::save_tensors(copy, file);
  const auto again = supernet::load_tensors(copy);
  expect(again.tensors.size() == file.tensors.size(), "written and read: as many");
  for (const auto& [name, tensor] : file.tensors) {
    const auto& other = again.tensors.at(name);
    expect(other.sizes() == tensor.sizes() && other.scalar_type() == tensor.scalar_type(),
           "written and read: the same form");
  }
}
