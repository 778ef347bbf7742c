// The folder of a plugin to begin with.
#include <catch2/catch.hpp>

#include "program.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;

TEST_CASE("the commands that a new plugin prints work in a folder of any name") {
  const Folder folder("new");
  const auto made = folder.run({"new", "space", "my-space", "--folder", "my plugins/first one"});
  REQUIRE(made.status == 0);
  CHECK_THAT(made.output, Contains("cmake -S 'my plugins/first one' -B 'my plugins/first "
                                   "one/build' -DCMAKE_PREFIX_PATH=") &&
                              Contains("cmake --build 'my plugins/first one/build'\n") &&
                              Contains("--plugin 'my plugins/first one/build/libmy-space.so' ") &&
                              Contains("mosaic run 'my plugins/first one/job.toml' --db"));
  CHECK_THAT(slurp(folder / "my plugins/first one/job.toml"),
             Contains("#   mosaic run 'my plugins/first one/job.toml' --db results.db\n"));

  const auto slash = folder.run({"new", "evaluator", "my-board", "--folder", "bar/"});
  INFO(slash.errors);
  REQUIRE(slash.status == 0);
  CHECK_THAT(slash.output, Contains("bar/job.toml\n") && Contains("-B bar/build ") &&
                               Contains("--plugin bar/build/libmy-board.so ") && !Contains("//"));
  CHECK_THAT(slurp(folder / "bar/job.toml"), Contains("#   mosaic run bar/job.toml --db"));
  CHECK_THAT(folder.run({"new", "space", "my-space", "--folder", "bar/"}).errors,
             Contains("bar is there already"));

  REQUIRE(folder.run({"new", "space", "plain"}).status == 0);
  CHECK_THAT(slurp(folder / "plain/job.toml"), Contains("#   mosaic run plain/job.toml --db"));
}
