#include "mosaic/supernet/networks/safetensors.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::supernet {
namespace {

using nlohmann::json;
constexpr const char* kContentKey = "mosaic.content";

std::string type_name(at::ScalarType type) {
  if (type == at::kFloat) return "F32";
  if (type == at::kLong) return "I64";
  if (type == at::kByte) return "U8";
  throw std::logic_error("tensors of this type are not written");
}

at::ScalarType type_of(const std::string& name, const std::string& path) {
  if (name == "F32") return at::kFloat;
  if (name == "I64") return at::kLong;
  if (name == "U8") return at::kByte;
  throw core::Error(path + ": tensors of type " + name + " are not supported",
                    "convert them to F32");
}

std::map<std::string, at::Tensor> on_cpu(const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, tensor] : tensors)
    result[name] = tensor.detach().to(at::kCPU).contiguous(at::MemoryFormat::Contiguous);
  return result;
}

std::string content_hash(const std::map<std::string, at::Tensor>& tensors) {
  core::Hasher hasher;
  for (const auto& [name, tensor] : tensors) {
    hasher.add(name);
    hasher.bytes(tensor.data_ptr(), tensor.nbytes());
  }
  return hasher.hex();
}

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw core::Error(path + " is damaged or no safetensors file: " + what,
                    "delete it and let it be made again, or restore it from a copy");
}

}  // namespace

void save_tensors(const std::string& path, const TensorFile& file) {
  const auto tensors = on_cpu(file.tensors);
  json header;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  json metadata = file.metadata;
  metadata[kContentKey] = content_hash(tensors);
  header["__metadata__"] = metadata;
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors start at a multiple of 8 bytes
  const std::uint64_t size = text.size();
  std::vector<std::string_view> pieces{{reinterpret_cast<const char*>(&size), sizeof size}, text};
  for (const auto& [name, tensor] : tensors)
    pieces.emplace_back(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
  core::write_file_atomic(path, pieces);
}

TensorFile load_tensors(const std::string& path) {
  const std::string content = core::read_file(path);
  std::uint64_t header_size = 0;
  if (content.size() < sizeof header_size)
    damaged(path, "it has only " + std::to_string(content.size()) + " bytes");
  std::memcpy(&header_size, content.data(), sizeof header_size);
  if (header_size > content.size() - sizeof header_size) damaged(path, "it ends within its header");
  TensorFile file;
  try {
    const json header = json::parse(content.begin() + 8,
                                    content.begin() + 8 + static_cast<std::ptrdiff_t>(header_size));
    const char* data = content.data() + 8 + header_size;
    const std::size_t available = content.size() - 8 - header_size;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
      const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
      const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
      if (end > available || begin > end) damaged(path, "it ends within tensor '" + name + "'");
      const auto type = type_of(entry.at("dtype"), path);
      // Before any memory is taken: the shape may be anything.
      std::size_t bytes = c10::elementSize(type);
      for (const std::int64_t extent : shape)
        if (extent < 0 || __builtin_mul_overflow(bytes, static_cast<std::size_t>(extent), &bytes))
          bytes = std::numeric_limits<std::size_t>::max();
      if (bytes != end - begin) damaged(path, "tensor '" + name + "' has the wrong size");
      at::Tensor tensor = at::empty(shape, type);
      if (bytes > 0) std::memcpy(tensor.data_ptr(), data + begin, bytes);
      file.tensors[name] = tensor;
    }
  } catch (const json::exception&) {
    damaged(path, "its header is no JSON of the expected form");
  }
  const auto expected = file.metadata.find(kContentKey);
  if (expected != file.metadata.end() && expected->second != content_hash(file.tensors))
    damaged(path, "its content does not match its checksum");
  return file;
}

}  // namespace mosaic::supernet
