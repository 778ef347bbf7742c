#include <catch2/catch.hpp>

#include "jobs/poolings.hpp"
#include "rank.hpp"

using namespace mosaic;
using namespace mosaic::jobs::testing;

TEST_CASE("a ranking as text has one row for each score") {
  const auto text = cli::text_table(summarised());
  INFO(text);
  CHECK_THAT(text, Catch::StartsWith("score"));
  CHECK_THAT(text, Catch::Contains("0.321  [-0.") && Catch::Contains("2.02         89.99\n"));
  CHECK_THAT(text, Catch::Contains("12 networks; truth: test accuracy of 3 trainings alone"));
  CHECK_THAT(text, Catch::Contains("over 2 seeds (Student's t)"));
  CHECK_THAT(text, !Catch::Contains("nan"));

  auto shared = summarised();
  shared.sharing = {{{"late", "b"}, {"early", "a"}}, {{"early", "a"}, {"late", "b"}}};
  CHECK_THAT(cli::text_table(shared), Catch::Contains("of 2 supernets: early (2), late (2)"));
}
