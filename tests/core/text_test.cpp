#include "mosaic/core/text.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <limits>

#include "capture.hpp"
#include "mosaic/core/error.hpp"

namespace core = mosaic::core;
using mosaic::test::message_of;
using Strings = std::vector<std::string>;

TEST_CASE("the edit distance counts insertions, deletions and substitutions") {
  CHECK(core::edit_distance("", "") == 0);
  CHECK(core::edit_distance("", "abc") == 3);
  CHECK(core::edit_distance("kitten", "sitting") == 3);
  CHECK(core::edit_distance("sitting", "kitten") == 3);
  CHECK(core::edit_distance("flaw", "lawn") == 2);
}

TEST_CASE("the nearest name is suggested only within half of the length") {
  const Strings known{"epochs", "batch", "router"};
  CHECK(core::nearest_name("epoch", known) == "epochs");
  CHECK(core::nearest_name("bacth", known) == "batch");
  CHECK(core::nearest_name("learning_rate", known).empty());
  CHECK(core::nearest_name("x", Strings{"y"}).empty());
  CHECK(core::nearest_name("seed", Strings{}).empty());
  // What is begun and not ended.
  const Strings commands{"export", "extract", "eval", "merge", "measure"};
  CHECK(core::nearest_name("extr", commands) == "extract");
  CHECK(core::nearest_name("meas", commands) == "measure");
  CHECK(core::nearest_name("xt", commands).empty());
}

TEST_CASE("split is the inverse of join") {
  CHECK(core::split("a,b,,c", ',') == Strings{"a", "b", "", "c"});
  CHECK(core::split("", ',') == Strings{""});
  CHECK(core::split("a,", ',') == Strings{"a", ""});
  CHECK(core::join(Strings{"a", "b", "c"}) == "a, b, c");
  CHECK(core::join(Strings{"a", "b"}, "|") == "a|b");
  CHECK(core::join(Strings{}).empty());
}

TEST_CASE("trim removes white space at both ends only") {
  CHECK(core::trim(" \t a b \r\n") == "a b");
  CHECK(core::trim(" \n ").empty());
}

TEST_CASE("numbers are written for people") {
  CHECK(core::with_commas(0) == "0");
  CHECK(core::with_commas(999) == "999");
  CHECK(core::with_commas(1000) == "1,000");
  CHECK(core::with_commas(1234567) == "1,234,567");
  CHECK(core::with_commas(-123456) == "-123,456");
  CHECK(core::with_commas(std::numeric_limits<long long>::min()) == "-9,223,372,036,854,775,808");

  CHECK(core::human_bytes(0) == "0 B");
  CHECK(core::human_bytes(1023) == "1023 B");
  CHECK(core::human_bytes(12345678) == "11.8 MiB");
  CHECK(core::human_bytes(1024.0 * 1024 * 1024) == "1.0 GiB");

  CHECK(core::human_count(999) == "999");
  CHECK(core::human_count(1234) == "1.2k");
  CHECK(core::human_count(12345678) == "12.3M");
  CHECK(core::human_count(999960) == "1.0M");
  CHECK(core::human_count(-2.5e9) == "-2.5G");
}

TEST_CASE("durations keep two units at most") {
  CHECK(core::human_seconds(0.0123) == "12.3ms");
  CHECK(core::human_seconds(3) == "3.0s");
  CHECK(core::human_seconds(59.97) == "1m00s");
  CHECK(core::human_seconds(75) == "1m15s");
  CHECK(core::human_seconds(3725) == "1h02m");
  CHECK(core::human_seconds(2 * 86400 + 3 * 3600) == "2d03h");
  CHECK(core::human_seconds(std::numeric_limits<double>::infinity()) == "?");
}

TEST_CASE("a double is written as the shortest text that reads back the same") {
  CHECK(core::format_double(0.1) == "0.1");
  CHECK(core::format_double(1) == "1");
  CHECK(core::format_double(-2.5e-7) == "-2.5e-07");
  for (const double value : {1.0 / 3, 1e300, 5e-324, 0.30000000000000004})
    CHECK(std::strtod(core::format_double(value).c_str(), nullptr) == value);
}

TEST_CASE("a call is a name with keyword arguments") {
  const auto plain = core::parse_call(" random ");
  CHECK(plain.name == "random");
  CHECK(plain.arguments.empty());
  CHECK(core::parse_call("random()").arguments.empty());

  const auto call = core::parse_call("nsga2(cr=0.9, m = 4,file=a/b c.csv)");
  CHECK(call.name == "nsga2");
  CHECK(call.number("cr", 0.5, 0, 1) == 0.9);
  CHECK(call.number("eta", 10, 0, 100) == 10);
  CHECK(call.integer("m", 1, 0, 10) == 4);
  CHECK(call.integer("n", 7, 0, 10) == 7);
  CHECK(call.string("file", "") == "a/b c.csv");
  CHECK(call.string("other", "none") == "none");
}

TEST_CASE("an argument of a call may be a call") {
  const auto outer = core::parse_call("screened(inner=nsga2(cr=0.9, m=2), keep=4)");
  CHECK(outer.string("inner", "") == "nsga2(cr=0.9, m=2)");
  CHECK(outer.integer("keep", 0, 1, 9) == 4);
}

TEST_CASE("text that is no call is quoted in the error") {
  const auto error = [](const char* text) {
    return message_of<core::UsageError>([&] { core::parse_call(text); });
  };
  const std::string way_out = ": write it as name or name(key=value, key=value)";
  CHECK(error("") == "cannot read '': the name is missing" + way_out);
  CHECK(error("nsga2(cr)") ==
        "cannot read 'nsga2(cr)': 'cr' is not of the form key=value" + way_out);
  CHECK(error("a(b=)") == "cannot read 'a(b=)': 'b=' is not of the form key=value" + way_out);
  CHECK(error("a(b=1,)") == "cannot read 'a(b=1,)': '' is not of the form key=value" + way_out);
  CHECK(error("a(b=1") ==
        "cannot read 'a(b=1': the closing ')' is missing or not at the end" + way_out);
  CHECK(error("a(b=1)x") ==
        "cannot read 'a(b=1)x': the closing ')' is missing or not at the end" + way_out);
  CHECK(error("a(b=1))") == "cannot read 'a(b=1))': ')' without '('" + way_out);
  CHECK(error("a(b=c(1)") == "cannot read 'a(b=c(1)': '(' without ')'" + way_out);
  CHECK(error("a(b=1,b=2)") == "cannot read 'a(b=1,b=2)': argument 'b' is given twice" + way_out);
  CHECK(error("two words") ==
        "cannot read 'two words': a name has only letters, digits, '_', '-' and '.'" + way_out);
}

TEST_CASE("a wrong argument names the call, the argument and what was expected") {
  const auto call = core::parse_call("nsga2(cr=1.5, m=many, eta=nan)");
  CHECK(message_of<core::UsageError>([&] { call.number("cr", 0.9, 0, 1); }) ==
        "nsga2: argument cr = '1.5' is not a number from 0 to 1: write nsga2(cr=...) with such a "
        "value, or leave cr out for its default");
  CHECK(message_of<core::UsageError>([&] { call.integer("m", 1, 1, 10); }) ==
        "nsga2: argument m = 'many' is not an integer from 1 to 10: write nsga2(m=...) with such a "
        "value, or leave m out for its default");
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(call.number("eta", 1, -infinity, infinity),
                    Catch::StartsWith("nsga2: argument eta = 'nan' is not a finite number: "));
}

TEST_CASE("an argument that a call does not take is reported with the nearest one") {
  const auto call = core::parse_call("nsga2(crs=0.9)");
  CHECK(message_of<core::UsageError>([&] {
          call.expect_only(Strings{"cr", "m"});
        }) == "nsga2 has no argument 'crs': did you mean 'cr'? known: cr, m");
  CHECK(message_of<core::UsageError>([&] { call.expect_only(Strings{}); }) ==
        "nsga2 takes no arguments, but got crs=0.9: write just nsga2");
  CHECK_NOTHROW(call.expect_only(Strings{"crs"}));
}
