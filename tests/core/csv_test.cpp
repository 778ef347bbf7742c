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
        "t.csv:3: 3 cells where the header has 2: quote cells that hold commas, and write decimals "
        "behind a point");
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
        "t.csv:1: column 'a' appears twice, as number 1 and 3: give every column a name of its "
        "own");
  CHECK(error("") == "t.csv is empty: its first line must name the columns");
}

TEST_CASE("a file that is no CSV in UTF-8 says what it is and how to convert it") {
  const auto error = [](const std::string& text, const std::string& name = "t.csv") {
    return message_of<core::Error>([&] { core::parse_csv(text, name); });
  };
  const std::string pipe = "python3 -c 'import csv, sys; csv.writer(sys.stdout).writerows(";
  CHECK(error("arch;ms\n1-1-8;85,7\n") ==
        "t.csv:1: the header is one column, 'arch;ms': separated by semicolons? Mosaic reads "
        "commas: convert it: " +
            pipe +
            "csv.reader(sys.stdin, delimiter=\";\"))' < t.csv > new.csv "
            "(and write decimals behind a point)");
  CHECK(error("arch\tms\r\n1\t2\r\n", "t.csv.gz") ==
        "t.csv.gz:1: the header is one column, 'arch\\tms': separated by tabs? Mosaic reads "
        "commas: convert it: zcat t.csv.gz | " +
            pipe +
            "csv.reader(sys.stdin, "
            "delimiter=\"\\t\"))' > new.csv");
  CHECK(error("arch,ms\r1,2\r3,4\r") ==
        "t.csv ends its lines with CR alone, and Mosaic reads LF or CR LF: convert it: tr '\\r' "
        "'\\n' < t.csv > new.csv");
  using namespace std::string_literals;
  CHECK(error("\xFF\xFE"s + "a\0,\0b\0\n\0"s) ==
        "t.csv is UTF-16 (its first bytes say so), and Mosaic reads UTF-8: convert it: iconv -f "
        "UTF-16 -t UTF-8 < t.csv > new.csv");
  CHECK(error("\0a\0,\0b"s) ==
        "t.csv has a zero in every second byte, as UTF-16 has; Mosaic reads UTF-8: convert it: "
        "iconv -f UTF-16BE -t UTF-8 < t.csv > new.csv");
  CHECK(error("a,b\n1,2\n3,\0\0\0"s) ==
        "t.csv:3: a zero byte: the file is damaged, or no text: get the file again");
  CHECK(error("PK\x03\x04zip") ==
        "t.csv is a spreadsheet or another zip file, no CSV: export it as CSV, with commas");
  // A quoted name means what it says, and so does CR at the end of the text.
  CHECK(core::parse_csv("\"a;b\"\n1\n", "t.csv").columns == Strings{"a;b"});
  CHECK(core::parse_csv("a\r", "t.csv").columns == Strings{"a"});
}

TEST_CASE("text that is not UTF-8 is refused with line, column and the way out") {
  const auto error = [](const std::string& text) {
    return message_of<core::Error>([&] { core::parse_csv(text, "t.csv"); });
  };
  const std::string way =
      ", which is not UTF-8: convert it: iconv -f LATIN1 -t UTF-8 < t.csv > new.csv (if it is "
      "Latin-1)";
  CHECK(error("ms,caf\xE9\n1,2\n") == "t.csv:1: the name of column 2 is 'caf\uFFFD'" + way);
  CHECK(error("ms,kind\n1,a\n2,\"\xE9\n\"\n") == "t.csv:3: column 'kind' is '\uFFFD\\n'" + way);
  CHECK(core::parse_csv("ms,caf\u00e9\n1,\u4e2d\n", "t.csv").columns[1] == "caf\u00e9");
}

TEST_CASE("a name that is there means itself before it is a pattern") {
  const auto table = core::parse_csv("ks[0],ks0,ms_a,ms_b,*\n", "t.csv");
  using Places = std::vector<std::size_t>;
  CHECK(table.matching("ks[0]") == Places{0});
  CHECK(table.matching("ms_*") == Places{2, 3});
  CHECK(table.matching("*") == Places{4});
  CHECK(table.matching("ms_[b]") == Places{3});
  CHECK(message_of<core::UsageError>([&] { table.matching("sm_a"); }) ==
        "no column of t.csv matches 'sm_a': did you mean 'ms_a'? its columns: ks[0], ks0, ms_a, "
        "ms_b, *");
}

TEST_CASE("columns that count the rows are known by their numbers or by their name") {
  const auto table = core::parse_csv(
      ",Unnamed: 0,from one,depth,shuffled,index\n0,7,1,3,2,a\n1,3,2,4,1,b\n2,9,3,5,0,c\n"
      "3,1,4,6,4,d\n4,5,5,8,3,e\n",
      "t.csv");
  const std::vector<bool> expected{true, true, true, false, false, false};
  for (std::size_t i = 0; i < 6; ++i) {
    INFO(table.columns[i]);
    CHECK(table.counts_rows(i) == expected[i]);
  }
  // Four numbers may follow each other by chance, and an index has no number twice.
  CHECK_FALSE(core::parse_csv("a\n1\n2\n3\n4\n", "t.csv").counts_rows(0));
  CHECK_FALSE(core::parse_csv("index,b\n1,1\n1,2\n", "t.csv").counts_rows(0));
}

TEST_CASE("a cell that was meant for a number says how to write it") {
  const auto advice = [](const std::string& cell) { return core::advice_on_number(cell); };
  CHECK(advice("1.15 ms") == "write 1.15, without the unit 'ms': the column's name can say it");
  CHECK(advice("3\u00b5s") == "write 3, without the unit '\u00b5s': the column's name can say it");
  CHECK(advice("91.2%") == "write 91.2, without the unit '%': the column's name can say it");
  CHECK(advice("85,7") == "write 85.7: decimals stand behind a point");
  CHECK(advice("1,234") ==
        "write 1.234: decimals stand behind a point (or 1234, if the comma groups thousands)");
  CHECK(advice("1,234,567") == "write 1234567: commas do not group digits");
  for (const char* other : {"1.15", "", "relu", "3x3", "2d", "8bit", "ms", "0x5A", "1-1-8", "nan"})
    CHECK(advice(other).empty());
  const auto table = core::parse_csv("a,ms\nx,1.15 ms\n", "t.csv");
  CHECK(message_of<core::Error>([&] { table.number(0, 1); }) ==
        "t.csv:2: column 'ms' is '1.15 ms', not a finite number: write 1.15, without the unit "
        "'ms': the column's name can say it");
  CHECK(message_of<core::Error>([] { core::parse_csv("a,ms\n1-1-8,85,7\n", "t.csv"); }) ==
        "t.csv:2: 3 cells where the header has 2: quote cells that hold commas, and write decimals "
        "behind a point");
  for (const char* none : {"", " ", "NaN", "None", "NULL", "n/a", "NA", "-"})
    CHECK(core::is_missing(none));
  for (const char* some : {"0", "inf", "-1", "nano"}) CHECK_FALSE(core::is_missing(some));
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
