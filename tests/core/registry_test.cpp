#include "mosaic/core/registry.hpp"

#include <catch2/catch.hpp>

#include "capture.hpp"

namespace core = mosaic::core;
using mosaic::test::message_of;

TEST_CASE("registered things are found by name") {
  core::Registry<int> colours("colour");
  const core::Registered kRed{colours, "red", "like a rose", 1};
  const core::Registered kBlue{colours, "blue", "like the sea", 2};
  CHECK(colours.at("red") == 1);
  CHECK(colours.summary("blue") == "like the sea");
  CHECK(colours.contains("red"));
  CHECK_FALSE(colours.contains("green"));
  CHECK(colours.names() == std::vector<std::string>{"blue", "red"});
}

TEST_CASE("an unknown name lists the known ones and suggests the nearest") {
  core::Registry<int> colours("colour");
  colours.add("red", "", 1);
  colours.add("blue", "", 2);
  CHECK(message_of<core::UsageError>([&] { colours.at("bleu"); }) ==
        "unknown colour 'bleu': did you mean 'blue'? known: blue, red");
  CHECK(message_of<core::UsageError>([&] { colours.summary("green"); }) ==
        "unknown colour 'green': known: blue, red");
}

TEST_CASE("a name is registered once") {
  core::Registry<int> colours("colour");
  colours.add("red", "", 1);
  CHECK(message_of<std::logic_error>([&] { colours.add("red", "", 2); }) ==
        "colour 'red' is registered twice");
}
