// Runs over every registered evaluator.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "mosaic/core/error.hpp"
#include "mosaic/evaluators/catalogue.hpp"
#include "mosaic/evaluators/table.hpp"
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
    task = tasks::tasks().at("fashion-mnist").make(settings);
  } catch (const core::Error& error) {
    skip(Need::kData, error.what());
  }
  task->to(device);
  const auto space = conformance::small_space("resnet-elastic", task->shape());
  supernet::Supernet net(space, {.kind = "layer-wise", .copies = 2, .hidden = 8}, 1);
  net.to(device);
  const std::vector<Candidate> candidates{make_candidate(space, space.smallest()),
                                          make_candidate(space, space.largest())};
  int references = 0;
  Workbench::Parts parts;
  parts.space = &space;
  parts.supernet = &net;
  parts.task = task.get();
  parts.checkpoint = "test";
  parts.table =
      std::make_shared<Table>(core::parse_csv("arch,joules\n\"" + candidates[0].arch +
                                                  "\",1.5\n\"" + candidates[1].arch + "\",2.5\n",
                                              "t.csv"),
                              space);
  parts.reference = [&](const Candidate&, const core::Measurement& m) {
    ++references;
    REQUIRE(m.metric == "latency_reference_ms");
  };
  const Workbench work(parts);
  for (const auto& name : evaluators::evaluators().names()) {
    INFO(name << " on " << device);
    JobFacts facts{.task = &tasks::tasks().at("fashion-mnist"), .supernet = true};
    if (name == "table") facts.table = std::make_shared<core::CsvTable>(parts.table->csv());
    const std::string keys = name == "latency"     ? "device = \"" + device + "\"\nrepeats = 5\n"
                             : name == "inherited" ? "examples = 20\ncalibration = 64\n"
                                                   : "";
    auto section = core::Config::from_text(keys).root();
    const auto known = evaluators::evaluators().at(name).metrics(facts);
    REQUIRE_FALSE(known.empty());
    std::vector<std::string> metrics;
    for (const auto& info : known) metrics.push_back(info.name);
    const auto evaluator = read_measuring(name, section, facts).make(work, metrics);
    REQUIRE(evaluator->metrics().size() == metrics.size());
    std::vector<std::size_t> order;
    const auto results = evaluator->evaluate(
        candidates, [&](std::size_t index, const Evaluator::Row&) { order.push_back(index); });
    REQUIRE(order == std::vector<std::size_t>{0, 1});
    REQUIRE(results.size() == 2);
    for (const auto& row : results)
      for (std::size_t k = 0; k < metrics.size(); ++k) {
        const auto& result = row.at(k);
        INFO(metrics[k] << " " << result.message);
        REQUIRE(result.ok());
        REQUIRE(result.metric == metrics[k]);
        REQUIRE(result.unit == known[k].unit);
        REQUIRE_FALSE(result.fidelity.empty());
        REQUIRE(result.fidelity == evaluator->metrics()[k].fidelity);
        REQUIRE(evaluator->metrics()[k].timed == known[k].timed);
      }
    if (known[0].timed) {
      REQUIRE(references >= 1);
      REQUIRE(results[0][0].device.rfind(device, 0) == 0);
    } else {
      const auto again = evaluator->evaluate(candidates);
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t k = 0; k < metrics.size(); ++k)
          REQUIRE(again[i][k].value == results[i][k].value);
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
  Workbench::Parts parts;
  parts.space = &space;
  auto section = core::Config::from_text("repeats = 5\n").root();
  const auto results = read_measuring("latency", section, {})
                           .make(Workbench(parts), {"latency_ms"})
                           ->evaluate(candidates);
  REQUIRE(results[0][0].status == core::Status::failed);
  REQUIRE_THAT(results[0][0].message, Catch::Contains("unknown-op"));
  REQUIRE(results[1][0].ok());
}
