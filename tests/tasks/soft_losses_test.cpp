#include "soft_losses.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "classification.hpp"

using namespace mosaic;
using namespace mosaic::tasks;

namespace {

/// -T^2 sum_c softmax(teacher / T)_c log softmax(outputs / T)_c of one position, as loops.
double of_position(const at::Tensor& outputs, const at::Tensor& teacher, double temperature) {
  double teachers = 0, own = 0, result = 0;
  for (std::int64_t c = 0; c < outputs.size(0); ++c) {
    teachers += std::exp(teacher[c].item<double>() / temperature);
    own += std::exp(outputs[c].item<double>() / temperature);
  }
  for (std::int64_t c = 0; c < outputs.size(0); ++c)
    result -= std::exp(teacher[c].item<double>() / temperature) / teachers *
              (outputs[c].item<double>() / temperature - std::log(own));
  return temperature * temperature * result;
}

at::Tensor drawn(at::IntArrayRef shape, std::uint64_t seed) {
  return 3 * at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

}  // namespace

TEST_CASE("losses to a teacher are cross-entropies to its probabilities") {
  const at::Tensor outputs = drawn({5, 7}, 1), teacher = drawn({5, 7}, 2);
  const NamedTensors targets{{kClass, at::tensor({0, 1, 2, 3, 4}, at::kLong)}};
  for (const double temperature : {1.0, 4.0}) {
    const at::Tensor found = class_distillation_losses(outputs, teacher, targets, temperature);
    REQUIRE(found.sizes() == at::IntArrayRef{5});
    for (std::int64_t i = 0; i < 5; ++i)
      CHECK(found[i].item<double>() ==
            Approx(of_position(outputs[i], teacher[i], temperature)).epsilon(1e-4));
  }
  // A sure teacher is a label.
  const at::Tensor sure = 100 * at::one_hot(targets[0].second, 7).to(at::kFloat);
  CHECK(at::allclose(class_distillation_losses(outputs, sure, targets, 1),
                     class_losses(outputs, targets, 0), 1e-4, 1e-4));
}

TEST_CASE("positions that are not asked for have no part in losses to a teacher") {
  const at::Tensor outputs = drawn({3, 4, 6}, 1), teacher = drawn({3, 4, 6}, 2);
  at::Tensor target = at::zeros({3, 4}, at::kLong);
  target[0][1] = target[0][3] = kNotAsked;
  target[2].fill_(kNotAsked);
  const at::Tensor own = outputs.clone().requires_grad_();
  const at::Tensor found = soft_losses(own, teacher, target, 2);
  double expected = 0;
  for (const std::int64_t i : {0, 2}) expected += of_position(outputs[0][i], teacher[0][i], 2) / 2;
  CHECK(found[0].item<double>() == Approx(expected).epsilon(1e-4));
  expected = 0;
  for (std::int64_t i = 0; i < 4; ++i) expected += of_position(outputs[1][i], teacher[1][i], 2) / 4;
  CHECK(found[1].item<double>() == Approx(expected).epsilon(1e-4));
  CHECK(found[2].item<double>() == 0);
  found.sum().backward();
  const at::Tensor moved = own.grad().abs().sum(-1).gt(0);
  CHECK(at::equal(moved, target.ne(kNotAsked)));
  // Where student and teacher agree the gradient is zero.
  const at::Tensor same = teacher.clone().requires_grad_();
  soft_losses(same, teacher, target, 2).sum().backward();
  CHECK(same.grad().abs().max().item<double>() < 1e-6);
}

TEST_CASE("a teacher of another shape is refused") {
  const at::Tensor target = at::zeros({2}, at::kLong);
  CHECK_THROWS_AS(soft_losses(drawn({2, 3}, 1), drawn({2, 4}, 2), target, 1), std::logic_error);
  CHECK_THROWS_AS(soft_losses(drawn({2, 3}, 1), drawn({2, 1}, 2), target, 1), std::logic_error);
  CHECK_THROWS_AS(soft_losses(drawn({2, 5, 3}, 1), drawn({2, 5, 3}, 2), target, 1),
                  std::logic_error);
}
