// A program over the library with an observer of its own, and a plugin: counts passes by network
// and keeps the largest gradient.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>

#include "mosaic/core/plugin.hpp"
#include "mosaic/supernet/training/trainer.hpp"

using namespace mosaic;

namespace {

class Largest : public supernet::Observer {
 public:
  void before_pass(const supernet::Moment&, const spaces::Genotype&) override { ++passes; }
  void found(const supernet::Trainee& trainee, const supernet::Findings&) override {
    for (const auto& parameter : trainee.parameters())
      if (parameter.value.grad().defined())
        largest = std::max(largest, parameter.value.grad().abs().max().item<double>());
  }
  int passes = 0;
  double largest = 0;
};

}  // namespace

int main(int, char** argv) {
  core::load_plugin(argv[1]);
  tasks::TaskSettings settings;
  settings.name = "my-sequences";
  const auto task = tasks::make_task(settings);
  const auto space = spaces::Space::make("my-sequences", task->shape());
  supernet::SharingSettings sharing;
  sharing.kind = "my-average";
  supernet::Supernet net(space, sharing, 1);
  supernet::TrainSettings training;
  training.batch_size = 30;
  const auto trainee = supernet::supernet_trainee(net, training, 1);
  auto observer = std::make_unique<Largest>();
  const auto& seen = *observer;
  trainee->observe_by(std::move(observer));
  supernet::train(*trainee, *task, training, {});
  std::printf("%d passes\n", seen.passes);
  return seen.largest > 0 ? 0 : 1;
}
