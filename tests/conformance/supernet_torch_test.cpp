// Runs over every registered way of sharing and space: an extracted subnet computes what the
// supernet computed.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/scoring/generation.hpp"
#include "needs.hpp"
#include "random_growth.hpp"
#include "samples.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1e-12, a.abs().max().item<double>());
}

/// Moves every parameter a little, as training would: mixtures are no longer even.
void perturb(const Supernet& net) {
  at::NoGradGuard guard;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  for (auto& [name, tensor] : net.parameters()) {
    at::Tensor target = tensor;
    target +=
        0.3 * at::randn(target.sizes(), generator) * (name.rfind("router", 0) == 0 ? 1.0 : 0.1);
  }
}

/// Settings that a sharing takes; `copies` where it has a choice.
SharingSettings settings_of(const spaces::Space& space, const std::string& sharing,
                            std::int64_t copies) {
  if (sharing == "grown")  // with the copies that growth gave it
    return {.kind = sharing, .split = supernet::test::random_growth(space, 4 * copies, 1)};
  if (sharing == "plain") copies = 1;
  if (sharing == "partition") copies = 4;  // of a random split, a power of two
  return {.kind = sharing, .copies = copies, .hidden = 16, .split = {}};
}

/// A balanced mixture keeps a row of every architecture, and refuses larger spaces.
bool takes(const std::string& sharing, const spaces::Space& space) {
  return sharing != "balanced" || space.genotypes() <= 100'000;
}

void check_extraction(const spaces::Space& space, const std::string& sharing,
                      const std::string& device) {
  if (!takes(sharing, space)) return;
  at::NoGradGuard guard;
  const Supernet net(space, settings_of(space, sharing, 3), 7);
  perturb(net);
  const_cast<Supernet&>(net).to(device);
  core::Stream stream(2, "architectures");
  for (int i = 0; i < 4; ++i) {
    const auto genotype = i == 0   ? space.smallest()
                          : i == 1 ? space.largest()
                                   : space.random(stream);
    INFO(sharing << " " << space.name() << " " << space.text(genotype));
    const auto graph = space.bind(genotype);
    const NamedTensors x = random_inputs(graph, "forward", 5, 3, device, space.symbols());
    NormStats stats;
    net.forward(graph, genotype, x, NormMode::calibrate, &stats);
    const at::Tensor expected = net.forward(graph, genotype, x, NormMode::stored, &stats);
    const Subnet subnet = net.extract(genotype, stats);
    REQUIRE(relative_difference(expected, subnet.forward(x)) < 1e-5);
    double entries = 0;
    for (const auto& [slot, weight] : subnet.weights())
      entries += static_cast<double>(weight.numel());
    REQUIRE(entries == spaces::count_parameters(graph));

    const auto folder = (std::filesystem::temp_directory_path() / "mosaic_extracted").string();
    std::filesystem::remove_all(folder);
    subnet.save(folder);
    Subnet copy = Subnet::load(folder);
    copy.to(device);
    if (device == "cpu")
      REQUIRE(at::equal(copy.forward(x), subnet.forward(x)));
    else  // its weights lie elsewhere, and other kernels may be chosen
      REQUIRE(relative_difference(subnet.forward(x), copy.forward(x)) < 1e-6);
    std::filesystem::remove_all(folder);
    if (space.task().written.empty()) continue;
    StepwiseNetwork steps(copy.graph(), space.task().written,
                          [&](const spaces::WeightRef& ref) { return copy.weight(ref); });
    steps.begin(x);
    const at::Tensor& written = tasks::tensor(x, space.task().written);
    for (std::int64_t at = 0; at < written.size(1); ++at)
      REQUIRE(relative_difference(expected.select(1, at), steps.step(written.select(1, at))) <
              1e-5);
  }
}

}  // namespace

TEST_CASE(
    "every way of sharing and space: the extracted subnet computes what the supernet computed, "
    "after a "
    "round trip too") {
  for (const auto& sharing : sharing_kinds().names()) {
    for (const auto& name : spaces::space_types().names())
      check_extraction(conformance::small_space(name), sharing, "cpu");
    check_extraction(conformance::space_with_relative_positions(), sharing, "cpu");
  }
}

TEST_CASE(
    "every way of sharing and space on the GPU: the extracted subnet computes what the supernet "
    "computed",
    "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  for (const auto& sharing : sharing_kinds().names()) {
    for (const auto& name : spaces::space_types().names())
      check_extraction(conformance::small_space(name), sharing, "cuda");
    check_extraction(conformance::space_with_relative_positions(), sharing, "cuda");
  }
}

TEST_CASE(
    "every way of sharing: same seed, same weights; every parameter that an architecture uses gets "
    "a "
    "gradient") {
  for (const auto& sharing : sharing_kinds().names()) {
    INFO(sharing);
    const auto space = conformance::small_space(
        takes(sharing, conformance::small_space("resnet-elastic")) ? "resnet-elastic"
                                                                   : "resnet-pooling");
    const SharingSettings settings = settings_of(space, sharing, 2);
    const Supernet net(space, settings, 7);
    const Supernet again(space, settings, 7);
    const Supernet other(space, settings, 8);
    const auto a = net.parameters();
    const auto b = again.parameters();
    const auto c = other.parameters();
    bool differs = false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(at::equal(a[i].second, b[i].second));
      differs = differs || !at::equal(a[i].second, c[i].second);
    }
    REQUIRE(differs);
    const auto genotype = space.largest();
    const auto graph = space.bind(genotype);
    const at::Tensor x = random_inputs(graph, "forward", 4, 1, "cpu", space.symbols())[0].second;
    net.forward(graph, genotype, x, NormMode::batch, nullptr).pow(2).sum().backward();
    for (const auto& [name, tensor] : a) {
      INFO(name);
      const auto part = "bank.part" + std::to_string(net.part(genotype)) + ".";
      if (name.rfind("bank.part", 0) == 0 && name.rfind(part, 0) != 0) {
        REQUIRE_FALSE(tensor.grad().defined());  // weights of another part of the space
        continue;
      }
      REQUIRE(tensor.grad().defined());
      REQUIRE(tensor.grad().isfinite().all().item<bool>());
      if (name.rfind("router", 0) == 0) REQUIRE(tensor.grad().abs().max().item<double>() > 0);
    }
  }
}
