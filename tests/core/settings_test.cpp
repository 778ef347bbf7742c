#include "mosaic/core/settings.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "mosaic/core/error.hpp"

using namespace mosaic::core;
using Catch::Contains;

namespace {

struct Oven {
  std::int64_t minutes = 20;
  double degrees = 180;
  bool fan = true;
  std::string bread = "rye";
  std::string note = {};

  void visit(Visitor& v) {
    v("minutes", minutes, {1, 90}, kFirst);
    v("degrees", degrees, {50, 250});
    v("fan", fan);
    v("bread", bread, {"rye", "wheat"});
    v("note", note, {}, kNotIdentity);
  }
};

Oven read_oven(const std::string& text) {
  Config config = Config::from_text(text, "oven.toml");
  Oven oven;
  read(config.root().section("oven"), oven);
  config.finish();
  return oven;
}

std::string identity(const Oven& oven) {
  Hasher hasher;
  add_first(hasher, oven);
  add_changed(hasher, oven);
  return hasher.hex();
}

template <class Function>
std::string message(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.message() + "\n" + error.advice();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("settings that are listed once are read with their ranges and choices") {
  const Oven oven =
      read_oven("[oven]\nminutes = 30\ndegrees = 200\nfan = false\nbread = \"wheat\"\n");
  CHECK(oven.minutes == 30);
  CHECK(oven.degrees == 200);
  CHECK_FALSE(oven.fan);
  CHECK(oven.bread == "wheat");
  CHECK(read_oven("[oven]\n").minutes == 20);
  CHECK_THAT(message([] { read_oven("[oven]\nminutes = 91\n"); }),
             Contains("oven.toml:2: [oven] minutes = 91: must be an integer from 1 to 90"));
  CHECK_THAT(message([] { read_oven("[oven]\nbread = \"wheet\"\n"); }),
             Contains("did you mean 'wheat'?"));
  CHECK_THAT(message([] { read_oven("[oven]\nminuets = 2\n"); }),
             Contains("unknown key 'minuets'") && Contains("did you mean 'minutes'?"));
}

TEST_CASE("an identity has the first settings always and the others where they are not default") {
  const auto standard = identity({});
  Hasher of_minutes;
  CHECK(standard == of_minutes.add(std::int64_t{20}).hex());  // nothing else, whatever is added
  CHECK(identity({.note = "any"}) == standard);
  CHECK(identity({.minutes = 21}) != standard);
  CHECK(identity({.degrees = 181}) != standard);
  CHECK(identity({.fan = false}) != standard);
  CHECK(identity({.bread = "wheat"}) != identity({.fan = false}));
  CHECK(changed_text(Oven{}) == "");
  CHECK(changed_text(Oven{.minutes = 5, .degrees = 90.5, .fan = false, .note = "any"}) ==
        ", degrees=90.5, fan=false");
}

TEST_CASE("settings are written to JSON and read back") {
  const Oven oven{.minutes = 3, .degrees = 99.5, .fan = false, .bread = "wheat", .note = "a"};
  const auto json = settings_json(listed(oven));
  CHECK(json == nlohmann::json::parse(R"({"minutes": 3, "degrees": 99.5, "fan": false,
                                          "bread": "wheat", "note": "a"})"));
  Oven copy;
  read_json(json, copy);
  CHECK(settings_json(listed(copy)) == json);
  // What an earlier version wrote has fewer keys, what a later one writes has more.
  Oven other;
  read_json({{"degrees", 70}, {"steam", true}}, other);
  CHECK(other.degrees == 70);
  CHECK(other.minutes == 20);
  CHECK_THAT(message([&] {
               read_json({{"minutes", "long"}}, other);
             }),
             Contains("the setting 'minutes' cannot be \"long\""));
}

TEST_CASE("a key that had another name may be written by either, and means the same") {
  const FormerKeys former{{"oven.minutes", "time"}, {"tray.fan", "wind"}};
  const auto parsed = [&](const std::string& text) {
    return Config::from_text(text, "oven.toml", former);
  };
  const std::string old_text = "[oven]\nbread = \"rye\"\ntime = 30\n[[tray]]\nwind = true\n";
  const std::string new_text = "[oven]\nminutes = 30\nbread = \"rye\"\n[[tray]]\nfan = true\n";
  for (const auto& text : {old_text, new_text}) {
    Config config = parsed(text);
    Oven oven;
    read(config.root().section("oven"), oven);
    CHECK(oven.minutes == 30);
    for (auto& tray : config.root().sections("tray")) CHECK(tray.has("fan"));
    CHECK_NOTHROW(config.finish());
  }
  CHECK(parsed(new_text).hash() == parsed(old_text).hash());
  CHECK(parsed(old_text).hash() == Config::from_text(old_text).hash());  // as it always was
  CHECK(parsed(new_text).changes_since(parsed(old_text)).empty());
  const auto changes =
      parsed("[oven]\nminutes = 31\n").changes_since(parsed("[oven]\ntime = 30\n"));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].text() == "oven.minutes (30, now 31)");
  CHECK_THAT(message([&] {
               Oven oven;
               read(parsed("[oven]\ntime = 91\n").root().section("oven"), oven);
             }),
             Contains("oven.toml:2: [oven] time = 91: must be an integer from 1 to 90"));
  CHECK_THAT(message([&] {
               Oven oven;
               read(parsed("[oven]\nminutes = 2\ntime = 3\n").root().section("oven"), oven);
             }),
             Contains("oven.toml:3: [oven] time: is the former name of 'minutes', which is given "
                      "as well") &&
                 Contains("remove one of them"));
}
