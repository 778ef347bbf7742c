// Extracted networks in plain PyTorch.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "mosaic/core/files.hpp"
#include "mosaic/supernet/networks/safetensors.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "needs.hpp"
#include "samples.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

const std::string kCompare = R"(
import sys
import mosaic_nas, torch
from safetensors.torch import load_file
for folder in sys.argv[1:]:
    network, tensors = mosaic_nas.load(folder), load_file(folder + "/xy.safetensors")
    with torch.no_grad():
        y = network(*(tensors[name] for name in network.inputs()))
    difference = (y - tensors["y"]).abs().max() / tensors["y"].abs().max()
    if not difference < 1e-5:
        sys.exit(f"{folder}: largest relative difference {difference:.2e}")
)";

/// Writes the largest network with weights far from where training begins, inputs and outputs.
void write(const spaces::Space& space, const std::string& folder) {
  const auto genotype = space.largest();
  const auto graph = space.bind(genotype);
  const Supernet net(space, {.kind = "plain", .split = {}}, 7);
  for (auto& [name, tensor] : net.parameters()) {
    at::Tensor target = tensor;
    target += 0.1 * at::randn(target.sizes(), at::make_generator<at::CPUGeneratorImpl>(3));
  }
  const NamedTensors x = random_inputs(graph, "forward", 3, 5, "cpu", space.symbols());
  NormStats stats;
  net.forward(graph, genotype, x, NormMode::calibrate, &stats);
  Subnet subnet = net.extract(genotype, stats);
  subnet.info().shape = space.task();
  subnet.save(folder);
  TensorFile file;
  for (const auto& [name, tensor] : x) file.tensors[name] = tensor;
  file.tensors["y"] = subnet.forward(x);
  save_tensors(folder + "/xy.safetensors", file);
}

}  // namespace

TEST_CASE("networks of every space compute in plain PyTorch what Mosaic computes") {
  need(std::system("python3 -c 'import torch, safetensors' 2>/dev/null") == 0, Need::kOther,
       "no Python with torch and safetensors");
  at::NoGradGuard guard;
  const auto root = std::filesystem::temp_directory_path() / "mosaic_in_python";
  std::filesystem::remove_all(root);
  std::string command = "PYTHONPATH=" + std::string(std::getenv("MOSAIC_SOURCE_DIR")) +
                        "/python python3 " + (root / "compare.py").string();
  const auto add = [&](const spaces::Space& space, const std::string& name) {
    write(space, (root / name).string());
    command += " " + (root / name).string();
  };
  for (const auto& name : spaces::space_types().names()) add(conformance::small_space(name), name);
  add(conformance::space_with_relative_positions(), "relative");
  core::write_file_atomic((root / "compare.py").string(), kCompare);
  CHECK(std::system(command.c_str()) == 0);
  std::filesystem::remove_all(root);
}
