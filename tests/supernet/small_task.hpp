/// Real images for tests of training.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "mosaic/core/error.hpp"
#include "mosaic/supernet/training/trainer.hpp"
#include "mosaic/tasks/task.hpp"
#include "needs.hpp"

namespace mosaic::supernet::test {

/// Some hundred images of Fashion-MNIST. Skips the test where the data is not installed.
inline std::unique_ptr<tasks::Task> small_task(std::int64_t limit = 360,
                                               const std::string& device = "cpu") {
  tasks::TaskSettings settings;
  settings.limit = limit;
  try {
    auto task = tasks::tasks().at("fashion-mnist").make(settings);
    task->to(device);
    return task;
  } catch (const core::Error& error) {
    skip(Need::kData, error.what());
  }
}

/// Another trainee, of which tests change what they override.
class Wrapped : public Trainee {
 public:
  explicit Wrapped(std::unique_ptr<Trainee> inner)
      : Trainee(inner->device(), inner->orders(), inner->seed()), inner_(std::move(inner)) {}
  const std::vector<Parameter>& parameters() const override { return inner_->parameters(); }
  std::span<const std::unique_ptr<Observer>> observers() const override {
    return inner_->observers();
  }
  std::vector<spaces::Genotype> draw(std::int64_t step) override { return inner_->draw(step); }
  bool largest_first() const override { return inner_->largest_first(); }
  Outputs forward(const spaces::Genotype& genotype, const Inputs& inputs,
                  const Mode& mode) override {
    return inner_->forward(genotype, inputs, mode);
  }
  std::shared_ptr<const Program> program(const spaces::Genotype& genotype,
                                         const Mode& mode) override {
    return inner_->program(genotype, mode);
  }
  std::vector<at::Tensor> weights(const spaces::Genotype& genotype, const Program& program,
                                  const Mode& mode) override {
    return inner_->weights(genotype, program, mode);
  }
  std::string key(const spaces::Genotype& genotype) const override { return inner_->key(genotype); }
  std::string structure() const override { return inner_->structure(); }
  std::vector<Heritage> restructure(const std::string& structure) override {
    return inner_->restructure(structure);
  }

 private:
  std::unique_ptr<Trainee> inner_;
};

/// A trainee whose passes of more than `most` examples end as if memory had run out; `seen` is
/// given the logits of the others, [networks, examples, classes].
class OfLittleMemory : public Wrapped {
 public:
  OfLittleMemory(std::unique_ptr<Trainee> inner, std::int64_t most,
                 std::function<void(const at::Tensor& logits)> seen)
      : Wrapped(std::move(inner)), most_(most), seen_(std::move(seen)) {}
  Outputs forward(const spaces::Genotype& genotype, const Inputs& inputs,
                  const Mode& mode) override {
    auto outputs = Wrapped::forward(genotype, inputs, mode);
    if (outputs.values[0].size(1) > most_) throw std::bad_alloc();
    seen_(outputs.values[0]);
    return outputs;
  }

 private:
  std::int64_t most_;
  std::function<void(const at::Tensor&)> seen_;
};

}  // namespace mosaic::supernet::test
