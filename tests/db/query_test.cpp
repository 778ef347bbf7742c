#include "fixtures.hpp"

using namespace mosaic;
using namespace mosaic::db;
using namespace mosaic::db::testing;
using Catch::Contains;

TEST_CASE("a query returns cells with the types that SQLite gave them") {
  const Folder folder;
  const Database database(folder.file());
  const auto table =
      database.query("SELECT 1 AS a, 0.1 AS b, 'x' AS c, NULL AS d, x'00ff' AS e;  -- end");
  CHECK(table.columns == std::vector<std::string>{"a", "b", "c", "d", "e"});
  REQUIRE(table.rows.size() == 1);
  const auto& row = table.rows[0];
  CHECK(row[0].type == Table::Type::integer);
  CHECK(row[0].text == "1");
  CHECK(row[1].type == Table::Type::real);
  CHECK(row[1].text == "0.1");
  CHECK(row[2].type == Table::Type::text);
  CHECK(row[2].text == "x");
  CHECK(row[3].type == Table::Type::null);
  CHECK(row[3].text.empty());
  CHECK(row[4].type == Table::Type::text);
  CHECK(row[4].text == "x'00ff'");
  CHECK(database.query("SELECT name FROM jobs").rows.empty());
  CHECK(database.query("SELECT name FROM jobs").columns == std::vector<std::string>{"name"});
}

TEST_CASE("what only reads is allowed") {
  const Folder folder;
  const Database database(folder.file());
  for (const char* sql :
       {"SELECT count(*) FROM sqlite_master",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n WHERE i < 5) SELECT sum(i) FROM n",
        "VALUES (1), (2)", "EXPLAIN QUERY PLAN SELECT * FROM front",
        "PRAGMA table_info(measurements)", "PRAGMA user_version", "PRAGMA integrity_check",
        "SELECT name FROM pragma_table_info('jobs')", "SELECT value FROM json_each('[1, 2]')",
        "/* a comment */ SELECT 1 /* another */ ; ; -- and one more"})
    CHECK_FALSE(database.query(sql).rows.empty());
}

TEST_CASE("what writes, attaches or is more than one statement is refused and changes nothing") {
  const Folder folder;
  {
    Database database(folder.file());
    Job job = sample_job("first");
    database.create_job(job);
  }
  const auto before = slurp(folder.file());
  const auto message = [&](const std::string& sql) {
    const Reader reader(folder.file());
    return error_of([&] { reader.query(sql); });
  };
  const std::string asks = "a query may only read, and this one asks for ";
  CHECK_THAT(message("DELETE FROM jobs"), Contains(asks + "DELETE: give one SELECT"));
  CHECK_THAT(message("UPDATE jobs SET name = 'x'"), Contains(asks + "UPDATE"));
  CHECK_THAT(message("INSERT INTO architectures VALUES (1, 'a', 'b', 'c')"),
             Contains(asks + "INSERT"));
  CHECK_THAT(message("WITH x AS (SELECT 1) DELETE FROM jobs"), Contains(asks + "DELETE"));
  CHECK_THAT(message("UPDATE sqlite_master SET sql = ''"), Contains("may not be modified"));
  CHECK_THAT(message("DROP TABLE jobs"), Contains(asks));
  CHECK_THAT(message("CREATE TABLE t (x)"), Contains(asks));
  CHECK_THAT(message("CREATE TEMP TABLE t (x)"), Contains(asks));
  CHECK_THAT(message("ATTACH '" + folder.file("other.db") + "' AS o"), Contains(asks + "ATTACH"));
  CHECK_THAT(message("VACUUM INTO '" + folder.file("copy.db") + "'"), !Catch::Equals(""));
  CHECK_THAT(message("BEGIN"), Contains(asks + "a transaction"));
  CHECK_THAT(message("SAVEPOINT s"), Contains(asks + "a transaction"));
  CHECK_THAT(message("PRAGMA user_version = 5"), Contains(asks + "PRAGMA user_version"));
  CHECK_THAT(message("PRAGMA journal_mode = DELETE"), Contains(asks + "PRAGMA journal_mode"));
  CHECK_THAT(message("PRAGMA writable_schema = 1"), Contains(asks + "PRAGMA writable_schema"));
  CHECK_THAT(message("PRAGMA wal_checkpoint"), Contains(asks + "PRAGMA wal_checkpoint"));
  CHECK_THAT(message("SELECT load_extension('x')"), Contains(asks + "the function load_extension"));
  for (const std::string sql :
       {"WITH x AS (SELECT 1) INSERT INTO architectures SELECT 1, 'a', 'b', 'c' FROM x",
        "WITH x(n) AS (VALUES (1)) UPDATE jobs SET name = (SELECT n FROM x) RETURNING id",
        "INSERT INTO jobs (name) VALUES ('x') RETURNING id",
        "REPLACE INTO states VALUES (1, 2, 3, 4)",
        "EXPLAIN DELETE FROM jobs",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "DETACH main",
        "COMMIT",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
        "DROP VIEW front",
        "CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM jobs; END",
        "CREATE VIRTUAL TABLE t USING fts5(x)",
        "ALTER TABLE jobs RENAME TO j",
        "PRAGMA main.user_version = 5",
        "PRAGMA user_version(5)",
        "PRAGMA query_only = 0",
        "PRAGMA application_id = 1",
        "PRAGMA synchronous = OFF",
        "PRAGMA incremental_vacuum",
        "PRAGMA optimize",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA trusted_schema = 1",
        "PRAGMA temp_store_directory = '/tmp'",
        "UPDATE sqlite_schema SET sql = 'x'",
        "DELETE FROM sqlite_sequence",
        "UPDATE pragma_table_info('jobs') SET name = 'x'"}) {
    INFO(sql);
    CHECK_FALSE(message(sql).empty());
  }
  CHECK_THAT(message("SELECT 1; DELETE FROM jobs"),
             Contains("a query is one statement, and something follows the first one"));
  CHECK_THAT(message("SELECT 1; SELECT 2"), Contains("a query is one statement"));
  CHECK_THAT(message("SELECT 1; nonsense"), Contains("a query is one statement"));
  CHECK_THAT(message(" -- nothing"), Contains("the query is empty: give one SELECT"));
  CHECK_THAT(message("SELECT * FROM job"),
             Contains("the query is not valid SQL: no such table: job (in: SELECT * FROM job): the "
                      "tables and views are in docs/database.md"));
  CHECK_THAT(message("SELECT json('{')"), Contains("the query failed: malformed JSON"));
  CHECK_THAT(message(std::string("SELECT 1\0;", 10)), Contains("zero byte"));
  CHECK(slurp(folder.file()) == before);
  CHECK_FALSE(std::filesystem::exists(folder.file("other.db")));
  CHECK_FALSE(std::filesystem::exists(folder.file("copy.db")));

  Database database(folder.file());
  CHECK_THAT(error_of([&] { database.query("DELETE FROM jobs"); }), Contains(asks + "DELETE"));
  CHECK(database.jobs().size() == 1);
}

TEST_CASE("a result without end is refused before memory runs out, and a huge value as well") {
  const Folder folder;
  const Database database(folder.file());
  const auto message = [&](const std::string& sql) {
    return error_of([&] { database.query(sql); });
  };
  CHECK_THAT(message("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                     "SELECT hex(zeroblob(10000000)) FROM n"),
             Contains("the result takes more than 1 GiB after 54 rows: ask for less (LIMIT"));
  CHECK_THAT(message("SELECT zeroblob(200000000)"),
             Contains("the query failed: string or blob too big"));
}
