// mosaic completion: what a shell completes, read from the commands as they are.
#include <CLI/CLI.hpp>
#include <iostream>
#include <sstream>

#include "command.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"
#include "mosaic/db/database.hpp"

namespace mosaic::cli {
namespace {

/// What stands behind an option, or as a word by itself.
struct Argument {
  std::vector<std::string> names;  ///< "--job", "-v"; empty: a word by itself
  std::string summary;
  bool flag = false;                 ///< takes no value
  bool job = false;                  ///< the name of a job
  std::vector<std::string> choices;  ///< empty: anything, such as a file
};

struct Command {
  std::string words;  ///< "predictor fit"; empty: the program itself
  std::string summary;
  std::vector<Argument> arguments;
  std::vector<const CLI::App*> inner;
};

/// "TEXT:{max,min}" are two.
std::vector<std::string> choices_of(const std::string& type) {
  const auto open = type.find('{');
  const auto close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  std::vector<std::string> choices;
  for (const auto& part : core::split(type.substr(open + 1, close - open - 1), ','))
    choices.push_back(part.substr(0, part.find("->")));
  return choices;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void collect(const CLI::App& app, const std::string& words, std::vector<Command>& commands) {
  Command command{words, one_line(app.get_description()), {}, {}};
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    Argument argument;
    argument.summary = one_line(option->get_description());
    argument.flag = option->get_items_expected_max() == 0;
    argument.choices = choices_of(option->get_type_name());
    for (const auto& name : option->get_lnames()) {
      argument.names.push_back("--" + name);
      argument.job = argument.job || name == "job";
    }
    for (const auto& name : option->get_snames()) argument.names.push_back("-" + name);
    if (!argument.names.empty()) command.arguments.push_back(argument);
    if (!option->get_positional()) continue;
    argument.names.clear();
    command.arguments.push_back(argument);
  }
  command.inner = app.get_subcommands([](const CLI::App*) { return true; });
  commands.push_back(command);
  for (const auto* inner : command.inner)
    collect(*inner, words + (words.empty() ? "" : " ") + inner->get_name(), commands);
}

std::string names_of(const Command& command) {
  std::vector<std::string> names;
  for (const auto* inner : command.inner) names.push_back(inner->get_name());
  for (const auto& argument : command.arguments)
    names.insert(names.end(), argument.names.begin(), argument.names.end());
  return core::join(names, " ");
}

/// `text` within single quotes of a shell.
std::string single_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// A raw name a line. They come from a database, which may be anybody's: no shell may expand them.
constexpr const char* kJobs = R"(mosaic -q completion --jobs "$db" 2>/dev/null)";

void print_jobs(const std::string& db) {
  for (const auto& job : db::Reader(db).jobs())
    if (core::printable(job.name) == job.name) std::cout << job.name << "\n";
}

/// A word of the command line as bash will read it, but nothing in it is run or looked up.
constexpr const char* kBashWords = R"sh(_mosaic_plain() {
  local text=$1 part=
  plain=
  case $text in
    \'*) text=${text#\'}; plain=${text%\'}; return;;
    \"*) text=${text#\"}; text=${text%\"};;
    '~/'*) text=$HOME/${text#'~/'};;
  esac
  while [[ $text == *\\* ]]; do
    part=${text%%\\*}
    text=${text#*\\}
    plain+=$part${text:0:1}
    text=${text:1}
  done
  plain+=$text
}
)sh";

/// readline takes "--db=FILE" for three words, unless '=' was taken out of COMP_WORDBREAKS.
constexpr const char* kBashBegin =
    R"sh(  local word plain command='' words='' jobs='' db=results.db lead='' quoted i
  local -a all=()
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [[ $cur == --*=* ]]; then
    prev=${cur%%=*} lead=${cur%%=*}= cur=${cur#*=}
  elif [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == --db ]]; then
      db=${COMP_WORDS[i+1]}
      [[ $db == '=' ]] && db=${COMP_WORDS[i+2]}
      _mosaic_plain "$db"; db=$plain
    elif [[ $word == --db=* ]]; then
      _mosaic_plain "${word#--db=}"; db=$plain
    fi
)sh";

/// Behind an open quote bash would still expand some characters: names that have them are left out.
constexpr const char* kBashEnd = R"sh(  else
    IFS=' ' read -ra all <<< "$words"
  fi
  _mosaic_plain "$cur"
  for word in "${all[@]}"; do
    [[ $word == "$plain"* ]] || continue
    case $cur in
      \'*) [[ $word == *\'* ]] || COMPREPLY+=("$lead$word");;
      \"*) [[ $word == *[\"\$\`\\!]* ]] || COMPREPLY+=("$lead$word");;
      *) printf -v quoted %q "$word"; COMPREPLY+=("$lead$quoted");;
    esac
  done
)sh";

void bash(const std::vector<Command>& commands) {
  std::ostringstream inner, words, values, jobs;
  for (const auto& command : commands) {
    if (!command.words.empty())
      inner << (inner.tellp() > 0 ? "|" : "") << single_quoted(command.words);
    words << "    " << single_quoted(command.words)
          << ") words=" << single_quoted(names_of(command)) << ";;\n";
    for (const auto& argument : command.arguments) {
      if (argument.job && argument.names.empty())
        jobs << "    " << single_quoted(command.words) << ") jobs=1;;\n";
      for (const auto& name : argument.names) {
        if (argument.flag) continue;
        values << "    " << single_quoted(command.words + " " + name) << ") ";
        if (argument.job)
          values << "words=''; jobs=1;;\n";
        else if (!argument.choices.empty())
          values << "words=" << single_quoted(core::join(argument.choices, " ")) << "; jobs='';;\n";
        else
          values << "return;;\n";
      }
    }
  }
  std::cout << "# bash completion of mosaic, by `mosaic completion bash`\n"
            << kBashWords << "_mosaic() {\n"
            << kBashBegin << "    case \"${command:+$command }$word\" in\n      " << inner.str()
            << ") command=\"${command:+$command }$word\";;\n"
               "    esac\n"
               "  done\n"
               "  case \"$command\" in\n"
            << words.str()
            << "  esac\n"
               "  case \"$command\" in\n"
            << jobs.str()
            << "    *) ;;\n"
               "  esac\n"
               "  case \"$command $prev\" in\n"
            << values.str() << "  esac\n"
            << "  if [[ -n $jobs && $cur != -* ]]; then\n"
               "    mapfile -t all < <("
            << kJobs << ")\n"
            << kBashEnd
            << "}\n"
               "complete -o default -F _mosaic mosaic\n";
}

/// Within the brackets of zsh's _arguments.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string zsh_action(const Argument& argument) {
  if (argument.job) return ":job:__mosaic_jobs";
  if (argument.choices.empty()) return ":value:_files";
  return ":value:(" + core::join(argument.choices, " ") + ")";
}

void zsh_arguments(const Command& command) {
  std::cout << "_arguments -C";
  for (const auto& argument : command.arguments) {
    if (argument.names.empty() && command.inner.empty())
      std::cout << " " << single_quoted("*:" + zsh_action(argument));
    for (const auto& name : argument.names)
      std::cout << " "
                << single_quoted("*" + name +
                                 (name.starts_with("--") && !argument.flag ? "=" : "") + "[" +
                                 zsh_text(argument.summary) + "]" +
                                 (argument.flag ? "" : zsh_action(argument)));
  }
  if (!command.inner.empty()) std::cout << " '1: :->command' '*:: :->argument'";
  std::cout << "\n";
}

void zsh_function(const std::vector<Command>& commands, const Command& command) {
  const auto name = "_mosaic" + (command.words.empty() ? "" : "_" + command.words);
  auto function = name;
  std::replace(function.begin(), function.end(), ' ', '_');
  std::cout << function << "() {\n";
  if (command.inner.empty()) {
    std::cout << "  ";
    zsh_arguments(command);
    std::cout << "}\n";
    return;
  }
  std::cout << "  local context state line\n  typeset -A opt_args\n  ";
  zsh_arguments(command);
  std::cout << "  case $state in\n  command)\n    local -a commands=(\n";
  for (const auto* inner : command.inner)
    std::cout << "      "
              << single_quoted(inner->get_name() + ":" + one_line(inner->get_description()))
              << "\n";
  std::cout << "    )\n    _describe command commands;;\n  argument) case $line[1] in\n";
  for (const auto* inner : command.inner)
    std::cout << "    " << inner->get_name() << ") " << function << "_" << inner->get_name()
              << ";;\n";
  std::cout << "    esac;;\n  esac\n}\n";
  for (const auto* inner : command.inner)
    for (const auto& other : commands)
      if (other.words == command.words + (command.words.empty() ? "" : " ") + inner->get_name())
        zsh_function(commands, other);
}

void zsh(const std::vector<Command>& commands) {
  std::cout << "#compdef mosaic\n"
               "# zsh completion of mosaic, by `mosaic completion zsh`\n"
               "__mosaic_jobs() {\n"
               "  local db=results.db i\n"
               "  for ((i = 1; i < $#words; i++)); do\n"
               "    [[ $words[i] == --db ]] && db=${(Q)words[i+1]}\n"
               "    [[ $words[i] == --db=* ]] && db=${(Q)words[i]#--db=}\n"
               "  done\n"
               "  db=${db/#\\~\\//$HOME/}\n"
               "  local -a names=(\"${(@f)$("
            << kJobs
            << ")}\")\n"
               "  names=(${names:#})\n"
               "  compadd -a names\n"
               "}\n";
  zsh_function(commands, commands.front());
  std::cout << "compdef _mosaic mosaic\n";
}

void fish(const std::vector<Command>& commands) {
  std::cout << "# fish completion of mosaic, by `mosaic completion fish`\n"
               "function __mosaic_jobs\n"
               "  set -l words (commandline -opc)\n"
               "  set -l db results.db\n"
               "  for at in (seq (count $words))\n"
               "    switch $words[$at]\n"
               "      case --db\n"
               "        test $at -lt (count $words); and set db $words[(math $at + 1)]\n"
               "      case '--db=*'\n"
               "        set db (string sub -s 6 -- $words[$at])\n"
               "    end\n"
               "  end\n"
               "  set db (string replace -r '^~/' \"$HOME/\" -- $db)\n"
               "  "
            << kJobs
            << "\n"
               "end\n";
  for (const auto& command : commands) {
    std::string condition = "__fish_use_subcommand";
    if (!command.words.empty()) {
      std::vector<std::string> seen;
      for (const auto& word : core::split(command.words, ' '))
        seen.push_back("__fish_seen_subcommand_from " + word);
      condition = core::join(seen, "; and ");
    }
    const auto begin = "complete -c mosaic -n " + single_quoted(condition);
    for (const auto* inner : command.inner)
      std::cout << begin << " -f -a " << inner->get_name() << " -d "
                << single_quoted(one_line(inner->get_description())) << "\n";
    for (const auto& argument : command.arguments) {
      std::string rest;
      for (const auto& name : argument.names)
        rest += (name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1));
      if (argument.names.empty() && !argument.job) continue;  // a file
      if (argument.job)
        rest += std::string(argument.names.empty() ? " -f" : " -x") + " -a '(__mosaic_jobs)'";
      else if (!argument.choices.empty())
        rest += " -x -a " + single_quoted(core::join(argument.choices, " "));
      else if (!argument.flag)
        rest += " -r";
      std::cout << begin << rest << " -d " << single_quoted(argument.summary) << "\n";
    }
  }
}

void setup(App& app) {
  auto shell = std::make_shared<std::string>();
  auto db = std::make_shared<std::string>();
  auto named = app.add_option("SHELL", *shell, "bash, zsh or fish");
  named->check(one_of({"bash", "zsh", "fish"}));
  app.add_option("--jobs", *db, "print the names of this database's jobs: what the shells ask for")
      ->excludes(named);
  app.footer(
      "Prints what the shell is to read: commands, options, and names of jobs of results.db (or of "
      "--db).\n"
      "bash, in ~/.bashrc:                source <(mosaic completion bash)\n"
      "zsh, in ~/.zshrc behind compinit:  source <(mosaic completion zsh)\n"
      "fish, in config.fish:              mosaic completion fish | source");
  app.callback([app, shell, db] {
    if (!db->empty()) return print_jobs(*db);
    if (shell->empty())
      throw core::UsageError("no shell is named", "mosaic completion bash, zsh or fish");
    std::vector<Command> commands;
    collect(app.program(), "", commands);
    if (*shell == "bash") bash(commands);
    if (*shell == "zsh") zsh(commands);
    if (*shell == "fish") fish(commands);
  });
}

const core::Registered kEntry{commands(), "completion",
                              "what your shell needs to complete commands", CommandSetup(setup)};

}  // namespace
}  // namespace mosaic::cli
