// A task in one file.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "mosaic/core/error.hpp"
#include "mosaic/core/hash.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/tasks/task.hpp"

namespace {

using namespace mosaic;
using namespace mosaic::tasks;

constexpr std::int64_t kLongest = 8;

class Sequences : public Task {
 public:
  explicit Sequences(const TaskSettings& settings) : settings_(settings) {
    constexpr std::int64_t kAll = 500;
    core::Stream stream(1, "sequences");
    points_ = at::empty({kAll, kLongest, 3});
    scale_ = at::empty({kAll, 2});
    for (at::Tensor* tensor : {&points_, &scale_})
      for (std::int64_t i = 0; i < tensor->numel(); ++i)
        tensor->data_ptr<float>()[i] = static_cast<float>(stream.normal());
  }
  const std::string& name() const override { return name_; }
  const std::string& checksum() const override { return checksum_; }
  const spaces::TaskShape& shape() const override { return shape_; }
  std::int64_t size(Split split) const override {
    const auto held = static_cast<std::int64_t>(settings_.validation * 400);
    if (split == Split::test) return 100;
    return split == Split::train ? 400 - held : held;
  }
  void to(const std::string& device) override { expect_cpu(device); }

  Batch batch(const Selection& selection) const override {
    std::int64_t begin = selection.begin, count = selection.count, length = kLongest;
    if (selection.epoch < 0) count = std::min(count, size(selection.split) - begin);
    if (selection.split == Split::validation) begin += size(Split::train);
    if (selection.split == Split::test) begin += 400;
    at::Tensor chosen = at::arange(begin, begin + count);
    if (selection.epoch >= 0) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(size(Split::train)));
      std::iota(order.begin(), order.end(), 0);
      const auto number = static_cast<std::uint64_t>(1000 * selection.order + selection.epoch);
      core::Stream(settings_.seed, "order", number).shuffle(order);
      chosen = at::tensor(order, at::kLong).narrow(0, begin, count);
      length = 5 + begin / count % 4;  // batches differ in length
    }
    const at::Tensor points = points_.index_select(0, chosen).narrow(1, 0, length);
    const at::Tensor scale = scale_.index_select(0, chosen);
    const at::Tensor wanted =
        2 * points.select(2, 0).relu().mean(1) - points.select(2, 1).mean(1) + scale.select(1, 0);
    return {{{"scale", scale}, {"points", points}}, {{"temperature", wanted}}};
  }
  at::Tensor losses(const at::Tensor& outputs, const NamedTensors& targets, double) const override {
    return (outputs.squeeze(1) - tensor(targets, "temperature")).square();
  }
  LossName loss_name() const override { return {"squared error", "K²"}; }
  nlohmann::json preprocessing() const override { return {{"points", "as measured"}}; }

 private:
  static void expect_cpu(const std::string& device) {
    if (device != "cpu") throw core::UsageError("this task stays on the CPU", "use device cpu");
  }

  TaskSettings settings_;
  std::string name_ = "my-sequences", checksum_ = core::hash_hex("sequences");
  spaces::TaskShape shape_ = {
      .inputs = {{"points", {{1, {"length"}}, {3, {}}}}, {"scale", {{2, {}}}}},
      .output = {{1, {}}},
      .typical = {{"length", 6}}};
  at::Tensor points_, scale_;
};

const core::Registered kTask{
    mosaic::tasks::tasks(), "my-sequences", "a temperature after points",
    TaskType{[](const TaskSettings& settings) { return std::make_unique<Sequences>(settings); },
             {{"mean_error", "K", false, [] {
                 return mean_metric([](const at::Tensor& outputs, const auto& targets) {
                   return (outputs.squeeze(1) - tensor(targets, "temperature")).abs();
                 });
               }}}}};

}  // namespace
