// What a shell completes.
#include <catch2/catch.hpp>

#include "job.hpp"
#include "sql.hpp"
#include "table_job.hpp"

using namespace mosaic::cli::test;
using Catch::Contains;

namespace {

bool installed(const std::string& shell) {
  return std::system(("command -v " + shell + " > /dev/null").c_str()) == 0;
}

/// What `shell` prints for `script`, in the folder, with the program by its name.
std::string printed(const Folder& folder, const std::string& shell, const std::string& script) {
  folder.write("script", script);
  const auto command = "cd '" + (folder / "").string() + "' && " + shell + " script > answer";
  REQUIRE(std::system(command.c_str()) == 0);
  return slurp(folder / "answer");
}

/// A database whose jobs have these names.
void make_jobs(const Folder& folder, const std::string& db, const std::vector<std::string>& names) {
  mosaic::db::Database database((folder / db).string());
  for (const auto& name : names) {
    mosaic::db::Job job;
    job.name = name;
    database.create_job(job);
  }
}

}  // namespace

TEST_CASE("bash completes commands, options, choices, and jobs of the database") {
  const Folder folder("complete");
  folder.write("t.csv", table());
  folder.write("j.toml", kTableJob);
  REQUIRE(folder.run({"search", "j.toml", "--db", "r.db"}).status == 0);
  const auto script = folder.run({"completion", "bash"});
  REQUIRE(script.status == 0);
  folder.write("mosaic.bash", script.output);
  // The program by its name, and what readline would ask.
  folder.write("ask.bash",
               "mosaic() { \"$MOSAIC_BINARY\" \"$@\"; }\nsource mosaic.bash\n"
               "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _mosaic\n"
               "echo \"${COMPREPLY[*]}\"\n");
  const auto completed = [&](const std::string& words) {
    const auto command =
        "cd '" + (folder / "").string() + "' && bash ask.bash " + words + " > answer";
    REQUIRE(std::system(command.c_str()) == 0);
    return slurp(folder / "answer");
  };
  CHECK(completed("mosaic fro") == "front\n");
  CHECK(completed("mosaic predictor su") == "suggest\n");
  CHECK(completed("mosaic front --ge") == "--generation\n");
  CHECK(completed("mosaic best --goal ''") == "max min\n");
  CHECK(completed("mosaic front --db r.db ''") == "j\n");
  CHECK(completed("mosaic front --db r.db --job ''") == "j\n");
  CHECK(completed("mosaic front --db ''") == "\n");  // files, by readline
  CHECK(completed("mosaic front --db=r.db ''") == "j\n");
  CHECK(completed("mosaic front --db = r.db ''") == "j\n");  // as readline takes words apart
  CHECK(completed("mosaic front --db r.db --job = ''") == "j\n");
  CHECK(completed("mosaic front --db r.db --job =") == "j\n");
  CHECK(completed("mosaic front --db r.db --job=''") == "--job=j\n");
  for (const std::string shell : {"zsh", "fish"}) {
    const auto text = folder.run({"completion", shell}).output;
    CHECK_THAT(text, Contains("hypervolume of a job by generation") && Contains("generation"));
    folder.write("mosaic." + shell, text);
    if (std::system(("command -v " + shell + " > /dev/null").c_str()) == 0)
      CHECK(std::system(
                (shell + " -n '" + (folder / ("mosaic." + shell)).string() + "'").c_str()) == 0);
  }
}

TEST_CASE("names of jobs are completed as they are, and no shell runs what they say") {
  const Folder folder("hostile_names");
  const std::vector<std::string> names{"$(id >pwned)", "`id >pwned`", "it's", "two words", "a\"b",
                                       "a,b",          "*",           "-x",   "ünï"};
  make_jobs(folder, "my results.db", names);
  std::string raw;
  for (const auto& name : names) raw += name + "\n";
  CHECK(folder.run({"completion", "--jobs", "my results.db"}).output == raw);
  const std::string program = "mosaic() { \"$MOSAIC_BINARY\" \"$@\"; }\n";

  folder.write("mosaic.bash", folder.run({"completion", "bash"}).output);
  const auto bash = [&](const std::string& words) {
    return printed(folder, "bash",
                   program + "source ./mosaic.bash\nCOMP_WORDS=(" + words +
                       "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mosaic\n"
                       "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
  };
  const std::string front = "mosaic front --db 'my\\ results.db' ";
  // What is inserted is read again as the name.
  auto answers = bash(front + "''");
  CHECK_THAT(answers, Contains("two\\ words\n") && Contains("\\*\n") && Contains("ünï\n"));
  CHECK(printed(
            folder, "bash", "printf '%s\\n' " + [&] {
              std::string words = answers;
              std::replace(words.begin(), words.end(), '\n', ' ');
              return words;
            }() + "\n") == raw);
  CHECK(bash(front + "'two\\ w'") == "two\\ words\n");
  CHECK(bash(front + "\"'two w\"") == "two words\n");
  CHECK(bash(front + "'\"two w'") == "two words\n");
  CHECK(bash(front + "\"\\$\"") == "\\$\\(id\\ \\>pwned\\)\n");
  // Within double quotes they would be run.
  CHECK(bash(front + "'\"$'") == "\n");
  CHECK(bash(front + "'\"`'") == "\n");
  CHECK(bash("mosaic front '--db=my\\ results.db' two") == "two\\ words\n");
  CHECK(bash("mosaic front '--db=$(id >pwned)' ''") == "\n");

  if (installed("zsh")) {
    folder.write("mosaic.zsh", folder.run({"completion", "zsh"}).output);
    for (const std::string words : {"--db 'my\\ results.db'", "'--db=my\\ results.db'"})
      CHECK(printed(folder, "zsh",
                    "compdef() {}\ncompadd() { print -rl -- ${(P)2} }\n" + program +
                        "source ./mosaic.zsh\nwords=(mosaic front " + words +
                        " '')\n__mosaic_jobs\n") == raw);
  }
  if (installed("fish")) {
    folder.write("mosaic.fish", folder.run({"completion", "fish"}).output);
    for (const std::string words : {"--db my\\ results.db", "--db=my\\ results.db"}) {
      const auto found = printed(
          folder, "fish",
          "function mosaic; $MOSAIC_BINARY $argv; end\nsource ./mosaic.fish\ncomplete -C 'mosaic "
          "front " +
              words + " '\n");
      CHECK_THAT(found, Contains("two words\t") && Contains("$(id >pwned)\t"));
    }
  }
  CHECK_FALSE(std::filesystem::exists(folder / "pwned"));
}
