/// A task for any space, and settings of any way of sharing.
#pragma once

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <string>

#include "mosaic/spaces/space.hpp"
#include "mosaic/supernet/engine/executor.hpp"
#include "mosaic/supernet/networks/supernet.hpp"
#include "mosaic/tasks/task.hpp"
#include "random_growth.hpp"

namespace mosaic::supernet::test {

/// Of a small supernet of two copies, where it has such; `kind` is registered.
inline SharingSettings any_sharing(const spaces::Space& space, const std::string& kind) {
  if (kind == "grown") return {.kind = kind, .split = random_growth(space, 8, 1)};
  return {.kind = kind, .copies = kind == "plain" ? 1 : 2, .hidden = 16, .split = {}};
}

/// Random inputs, held against random numbers.
class AnyTask : public tasks::Task {
 public:
  AnyTask(const spaces::Space& space, std::string device)
      : space_(space), graph_(space.bind(space.largest())), device_(std::move(device)) {}

  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return name_; }
  const spaces::TaskShape& shape() const override { return space_.task(); }
  std::int64_t size(tasks::Split) const override { return 1'000; }
  void to(const std::string& device) override { device_ = device; }
  tasks::Batch batch(const tasks::Selection& selection) const override {
    const auto seed = static_cast<std::uint64_t>(selection.begin + 1'000 * selection.epoch);
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return {supernet::random_inputs(graph_, "forward", selection.count, seed, device_,
                                    space_.symbols()),
            {{"number", at::randn({selection.count}, generator).to(at::Device(device_))}}};
  }
  /// The square of how far the outputs' products with fixed waves are from the numbers.
  at::Tensor losses(const at::Tensor& outputs, const tasks::NamedTensors& targets,
                    double) const override {
    const at::Tensor flat = outputs.flatten(1);
    const at::Tensor waves =
        at::cos(at::arange(flat.size(1), flat.options().dtype(at::kFloat)) * 0.37);
    return (at::mv(flat, waves) / std::sqrt(static_cast<double>(flat.size(1))) -
            tasks::tensor(targets, "number"))
        .square();
  }
  std::vector<tasks::MetricType> metrics() const override { return {}; }

 private:
  spaces::Space space_;
  spaces::Graph graph_;
  std::string device_, name_ = "any";
};

}  // namespace mosaic::supernet::test
