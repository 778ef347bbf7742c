#include "mosaic/core/csv.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "capture.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"

namespace core = mosaic::core;
using mosaic::test::message_of;
using Strings = std::vector<std::string>;

TEST_CASE("a table is read with the line of every row") {
  const auto table = core::parse_csv("name,latency\r\na,1.5\r\n\"b\nb\",2\nc,3", "t.csv");
  CHECK(table.columns == Strings{"name", "latency"});
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[1] == Strings{"b\nb", "2"});
  CHECK(table.lines == std::vector<std::int64_t>{2, 3, 5});
  CHECK(table.number(0, table.column("latency")) == 1.5);
}

TEST_CASE("quoted cells hold commas, quotes and line breaks") {
  const auto table = core::parse_csv("a,b,c\n\"x,y\",\"say \"\"hi\"\"\",\"\"\n,,\n", "t.csv");
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0] == Strings{"x,y", "say \"hi\"", ""});
  CHECK(table.rows[1] == Strings{"", "", ""});
}

TEST_CASE("a byte order mark, blank lines and a missing last line break are no data") {
  const auto table = core::parse_csv(
      "\xEF\xBB\xBF"
      "a,b\n1,2\n\n3,",
      "t.csv");
  CHECK(table.columns == Strings{"a", "b"});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[1] == Strings{"3", ""});
  CHECK(table.lines == std::vector<std::int64_t>{2, 4});
}

TEST_CASE("what is written is read back the same") {
  const std::vector<Strings> rows{{"x", "y"}, {"a,b", "c\"d"}, {"line\nbreak", ""}, {" ", "\r"}};
  std::ostringstream out;
  for (const auto& row : rows) core::write_csv_row(out, row);
  const auto table = core::parse_csv(out.str(), "t.csv");
  CHECK(table.columns == rows[0]);
  CHECK(table.rows == std::vector<Strings>(rows.begin() + 1, rows.end()));

  std::ostringstream single;
  for (const char* cell : {"x", "", "1"}) core::write_csv_row(single, Strings{cell});
  CHECK(single.str() == "x\n\"\"\n1\n");
  CHECK(core::parse_csv(single.str(), "t.csv").rows == std::vector<Strings>{{""}, {"1"}});
}

TEST_CASE("malformed tables are refused with file and line") {
  const auto error = [](const std::string& text) {
    return message_of<core::Error>([&] { core::parse_csv(text, "t.csv"); });
  };
  CHECK(error("a,b\n1,2\n1,2,3\n") ==
        "t.csv:3: 3 cells where the header has 2: quote cells that hold commas, or get the file "
        "again if it is cut off");
  CHECK(error("a,b\n\"1\n\n2\",3\n4\n") ==
        "t.csv:5: 1 cells where the header has 2: quote cells that hold commas, or get the file "
        "again if it is cut off");
  CHECK(error("a\n1\n\"2\n3") ==
        "t.csv:3: a quoted cell that begins here is never closed: add the closing quote, or get "
        "the file again if it is cut off");
  CHECK(error("a\n\"1\"2\n") ==
        "t.csv:2: text after the closing quote of a cell: double the quotes (\"\") that belong to "
        "the cell");
  CHECK(error("a,b,a\n") ==
        "t.csv:1: column 'a' appears twice: give every column a name of its own");
  CHECK(error("") == "t.csv is empty: its first line must name the columns");
}

TEST_CASE("an unknown column lists the known ones and suggests the nearest") {
  const auto table = core::parse_csv("latency,accuracy\n", "t.csv");
  CHECK(table.rows.empty());
  CHECK(message_of<core::UsageError>([&] { table.column("latenci"); }) ==
        "t.csv has no column 'latenci': did you mean 'latency'? columns: latency, accuracy");
}

TEST_CASE("a cell that is no finite number is refused with file, line and column") {
  const auto table =
      core::parse_csv("name,latency\na,1\nb,n/a\nc,nan\nd,inf\ne,\nf, +2e1 \n", "t.csv");
  CHECK(message_of<core::Error>([&] { table.number(1, 1); }) ==
        "t.csv:3: column 'latency' is 'n/a', not a finite number: correct the cell or remove the "
        "row");
  for (std::size_t row = 1; row < 5; ++row) CHECK_THROWS_AS(table.number(row, 1), core::Error);
  CHECK(table.number(5, 1) == 20);
}

TEST_CASE("a missing table says which") {
  CHECK(message_of<core::Error>([] { core::read_csv("/nowhere/t.csv"); }) ==
        "cannot read '/nowhere/t.csv': No such file or directory: check the path");
}
