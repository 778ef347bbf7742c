// Runs over every registered metric.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/supernet/scoring/scoring.hpp"
#include "mosaic/tasks/task.hpp"
#include "needs.hpp"
#include "samples.hpp"

using namespace mosaic;
using namespace mosaic::evaluators;

namespace {

void check(const std::string& device) {
  tasks::TaskSettings settings;
  settings.limit = 200;
  std::unique_ptr<tasks::Task> task;
  try {
    task = tasks::tasks().at("fashion-mnist")(settings);
  } catch (const core::Error& error) {
    skip(Need::kData, error.what());
  }
  task->to(device);
  const auto space =
      conformance::small_space("resnet-elastic", {task->input_shape(), task->classes()});
  supernet::Supernet net(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
  net.to(device);
  const std::vector<Candidate> candidates{make_candidate(space, space.smallest()),
                                          make_candidate(space, space.largest())};
  for (const auto& metric : evaluators::evaluators().names()) {
    INFO(metric << " on " << device);
    const auto& type = evaluators::evaluators().at(metric);
    int references = 0;
    EvaluatorContext context;
    context.space = &space;
    context.supernet = &net;
    context.task = task.get();
    context.checkpoint = "test";
    context.settings.device = device;
    context.settings.repeats = 5;
    context.settings.images = 20;
    context.settings.calibration = 64;
    context.reference = [&](const Candidate&, const core::Measurement& m) {
      ++references;
      REQUIRE(m.metric == "latency_reference_ms");
    };
    const auto evaluator = type.make(context);
    REQUIRE(evaluator->metric() == metric);
    REQUIRE(evaluator->unit() == type.unit);
    REQUIRE(evaluator->timed() == type.timed);
    std::vector<std::size_t> order;
    const auto results = evaluator->evaluate(
        candidates, [&](std::size_t index, const core::Measurement&) { order.push_back(index); });
    REQUIRE(order == std::vector<std::size_t>{0, 1});
    REQUIRE(results.size() == 2);
    for (const auto& result : results) {
      INFO(result.message);
      REQUIRE(result.ok());
      REQUIRE(result.metric == metric);
      REQUIRE(result.unit == type.unit);
      REQUIRE(result.fidelity == evaluator->fidelity());
    }
    if (type.timed) {
      REQUIRE(references >= 1);
      REQUIRE(results[0].device.rfind(device, 0) == 0);
    } else {
      const auto again = evaluator->evaluate(candidates);
      for (std::size_t i = 0; i < 2; ++i) REQUIRE(again[i].value == results[i].value);
    }
  }
}

}  // namespace

TEST_CASE(
    "every metric measures real networks, reports each as soon as it is done, and repeats itself "
    "unless timed") {
  check("cpu");
}

TEST_CASE("every metric measures real networks on the GPU", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  check("cuda");
}

TEST_CASE("a network that cannot be measured becomes a recorded failure, and the others go on") {
  const auto space = conformance::small_space("resnet-elastic");
  std::vector<Candidate> candidates{make_candidate(space, space.smallest()),
                                    make_candidate(space, space.largest())};
  candidates[0].graph.nodes[1].op = "unknown-op";  // as a space newer than this build would have
  EvaluatorContext context;
  context.space = &space;
  context.settings.repeats = 5;
  const auto results =
      evaluators::evaluators().at("latency_ms").make(context)->evaluate(candidates);
  REQUIRE(results[0].status == core::Status::failed);
  REQUIRE_THAT(results[0].message, Catch::Contains("unknown-op"));
  REQUIRE(results[1].ok());
}
