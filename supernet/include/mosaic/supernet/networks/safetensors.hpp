/// The safetensors file format: a JSON header, then raw tensors.
#pragma once

#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace mosaic::supernet {

/// Tensors by name, with text metadata. The metadata key "mosaic.content" holds a hash of all
/// tensor bytes, so that a damaged file is noticed (other writers' files, without it, are read
/// unchecked).
struct TensorFile {
  std::map<std::string, at::Tensor> tensors;  ///< float32, int64 or uint8; read back on the CPU
  std::map<std::string, std::string> metadata;
};

/// Atomic. Throws core::Error (disk full, read-only folder).
void save_tensors(const std::string& path, const TensorFile& file);
/// Throws core::Error for a missing, truncated or damaged file, saying which and what to do.
TensorFile load_tensors(const std::string& path);

}  // namespace mosaic::supernet
