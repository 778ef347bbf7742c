// Runs over every registered way of sharing and space: a pass that is computed block by block, and
// on a GPU replayed, has the loss and the gradients of one that is computed as a whole.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "any_task.hpp"
#include "conformance/samples.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "needs.hpp"
#include "training/gradient.hpp"
#include "training/pieces.hpp"

using namespace mosaic;
using namespace mosaic::supernet;

namespace {

/// |a - b| / |a| over all gradients together; infinite where one has some that the other lacks.
double difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double square = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].defined() != b[i].defined()) return std::numeric_limits<double>::infinity();
    if (!a[i].defined()) continue;
    square += (a[i] - b[i]).square().sum().item<double>();
    all += a[i].square().sum().item<double>();
  }
  return std::sqrt(square / all);
}

/// The largest differences of losses and gradients over some architectures, each `times` in a row.
void check(const spaces::Space& space, const std::string& sharing, std::size_t members, int times,
           const std::string& device, double loss_tolerance, double tolerance) {
  CAPTURE(sharing, space.name(), members);
  if (sharing == "balanced" && space.genotypes() > 100'000) return;
  std::vector<std::unique_ptr<Supernet>> nets;
  std::vector<Supernet*> all;
  for (std::size_t i = 0; i < members; ++i) {
    nets.push_back(
        std::make_unique<Supernet>(space, supernet::test::any_sharing(space, sharing), 7 + i));
    nets.back()->to(device);
    all.push_back(nets.back().get());
  }
  const test::AnyTask task(space, device);
  const auto trainee = supernet_trainee(all, TrainSettings{}, 7);
  Gradients whole(*trainee, task, {.replay = false});
  Gradients by_blocks(*trainee, task, {.blocks = true});
  core::Stream stream(5, "architectures");
  PassResult sum, sum_by_blocks;  // as of the passes of one step
  for (int i = 0; i < 5; ++i) {
    const auto genotype = i == 0   ? space.smallest()
                          : i == 1 ? space.largest()
                                   : space.random(stream);
    INFO(sharing << " " << space.name() << " " << space.text(genotype));
    for (const auto& observer : trainee->observers()) observer->before_step();
    for (int time = 0; time < times; ++time) {
      const auto batch = training_batch(*trainee, task, 0, i + time, 4);
      whole.seed(i);
      by_blocks.seed(i);
      const auto expected = whole.run(genotype, batch, 0.5);
      const auto found = by_blocks.run(genotype, batch, 0.5);
      REQUIRE(std::abs(found.loss.item<double>() / expected.loss.item<double>() - 1) <
              loss_tolerance);
      REQUIRE(difference(expected.gradients, found.gradients) < tolerance);
      REQUIRE(found.outputs.sizes() == expected.outputs.sizes());
      sum.add(expected, true);
      sum_by_blocks.add(found, true);
    }
  }
  REQUIRE(difference(sum.gradients, sum_by_blocks.gradients) < tolerance);
}

}  // namespace

TEST_CASE("every way of sharing and space: passes by blocks have the gradients of whole ones") {
  for (const auto& name : spaces::space_types().names()) {
    for (const auto& sharing : sharing_kinds().names())
      check(conformance::small_space(name), sharing, 1, 1, "cpu", 1e-6, 1e-5);
    check(conformance::small_space(name), "layer-wise", 2, 1, "cpu", 1e-6, 1e-5);
  }
  check(conformance::space_with_relative_positions(), "layer-wise", 1, 1, "cpu", 1e-6, 1e-5);
}

TEST_CASE("every way of sharing and space: replayed blocks have the gradients of whole passes",
          "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setSDPUseCuDNN(false);
  for (const auto& name : spaces::space_types().names()) {
    for (const auto& sharing : sharing_kinds().names())
      check(conformance::small_space(name), sharing, 1, 3, "cuda", 1e-4, 1e-3);
    check(conformance::small_space(name), "layer-wise", 2, 3, "cuda", 1e-4, 1e-3);
  }
}
