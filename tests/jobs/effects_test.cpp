#include "mosaic/jobs/effects.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using namespace mosaic;

TEST_CASE("effects are means, Student intervals and adjusted shares of variance") {
  const std::vector<spaces::Gene> genes{{"kind", {"a", "b", "c"}, {0, 1, 2}, false},
                                        {"size", {"1", "2"}, {1, 2}, true}};
  jobs::Effects effects(genes);
  // kind a: 1 2 3; b: 11 13; c: never. size active only with b.
  effects.add({0, 0}, {true, false}, 1);
  effects.add({0, 0}, {true, false}, 2);
  effects.add({0, 0}, {true, false}, 3);
  effects.add({1, 0}, {true, true}, 11);
  effects.add({1, 1}, {true, true}, 13);
  const auto decisions = effects.decisions();
  REQUIRE(decisions.size() == 2);
  const auto& kind = decisions[0];
  CHECK(kind.decision == "kind");
  REQUIRE(kind.options.size() == 2);
  CHECK(kind.options[0].option == "a");
  CHECK(kind.options[0].mean == Approx(2));
  // t(0.975; 2) = 4.302653, standard deviation 1, three networks.
  CHECK(*kind.options[0].half_width == Approx(4.302653 / std::sqrt(3.0)).epsilon(1e-6));
  CHECK(kind.options[1].networks == 2);
  CHECK_FALSE(kind.options[1].half_width);  // of two: t(0.975; 1) = 12.7 tells nothing
  CHECK_FALSE(kind.inactive);
  // SSE = 2 + 2 over 3 degrees of freedom; SST of 1 2 3 11 13 about 6 = 124 over 4.
  CHECK(*kind.explained == Approx(1 - (4.0 / 3) / (124.0 / 4)));
  const auto& size = decisions[1];
  REQUIRE(size.inactive);
  CHECK(size.inactive->networks == 3);
  CHECK(size.inactive->mean == Approx(2));
  CHECK_FALSE(size.options[0].half_width);
  CHECK_FALSE(size.explained);
}
