// Sums into rows of a table.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "engine/rows.hpp"
#include "needs.hpp"
#include "poisoned.hpp"
#include "relative_error.hpp"

using namespace mosaic;
using namespace mosaic::supernet;
using supernet::test::relative_error;

TEST_CASE("rows are added to those of a table that have their keys") {
  const at::Tensor all = at::ones({4, 5});
  add_rows(all.narrow(1, 1, 2), at::tensor({2, 0, 2}, at::kLong),
           at::tensor({1.0F, 2.0F, 10.0F, 20.0F, 100.0F, 200.0F}).view({3, 2}));
  at::Tensor expected = at::ones({4, 5});
  expected[0].narrow(0, 1, 2).add_(at::tensor({10.0F, 20.0F}));
  expected[2].narrow(0, 1, 2).add_(at::tensor({101.0F, 202.0F}));
  CHECK(at::equal(all, expected));
  add_rows(all, at::empty({0}, at::kLong), at::empty({0, 5}));
  CHECK(at::equal(all, expected));
}

TEST_CASE("rows on the GPU are added as in double precision, in one order", "[gpu]") {
  need(torch::cuda::is_available(), Need::kGpu, "no CUDA device");
  const int count = GENERATE(1, 31, 32, 33, 500, 4096);
  const auto [width, of] =
      GENERATE(table<int, int>({{4, 4}, {640, 640}, {576, 640}, {2048, 2052}, {30, 31}}));
  const int different = GENERATE(1, 3, 40, 5000);  // 1: all rows have one key
  CAPTURE(count, width, of, different);
  at::manual_seed(1);
  const at::Tensor before = at::randn({6000, of}), rows = at::randn({count, width});
  const at::Tensor keys = at::randint(6000 - different, 6000, {count}, at::kLong);
  at::Tensor expected = before.to(at::kDouble);
  expected.narrow(1, 0, width).index_add_(0, keys, rows.to(at::kDouble));
  std::vector<at::Tensor> found;
  for (int time = 0; time < 2; ++time) {
    const Poisoned poisoned;
    found.push_back(before.cuda());
    add_rows(found.back().narrow(1, 0, width), keys.cuda(), rows.cuda());
  }
  CHECK(relative_error(found[0], expected) < 1e-6);
  CHECK(at::equal(found[0], found[1]));
}
