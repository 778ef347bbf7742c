#include "assign.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "mosaic/core/error.hpp"
#include "mosaic/core/text.hpp"

namespace mosaic::core::detail {
namespace {

/// One "KEY=VALUE", taken apart.
struct Assignment {
  struct Step {
    std::string name;
    std::optional<std::size_t> index;  ///< "objective[1]"
  };
  std::string given;
  std::vector<Step> steps;
  std::string value;

  /// The assignment with the step at `at` as a table, not as an element of a list.
  std::string without_index(std::size_t at) const {
    std::string text;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      text += (i == 0 ? "" : ".") + steps[i].name;
      if (steps[i].index && i != at) text += "[" + std::to_string(*steps[i].index) + "]";
    }
    return text + "=" + value;
  }
  [[noreturn]] void fail(const std::string& message, const std::string& advice) const {
    throw UsageError("--set " + given + ": " + message, advice);
  }
};

constexpr const char* kForm =
    "write the full name of a key and its value: --set search.evaluations=400";

Assignment::Step step_of(const Assignment& assignment, std::string_view text) {
  Assignment::Step step;
  if (const auto bracket = text.find('['); bracket != std::string_view::npos) {
    const auto index = text.back() == ']'
                           ? parse_integer(text.substr(bracket + 1, text.size() - bracket - 2))
                           : std::nullopt;
    if (!index || *index < 0)
      assignment.fail("'" + std::string(text) + "' is no element of a list of tables",
                      "count from 0: --set objective[0].samples=60");
    step.index = static_cast<std::size_t>(*index);
    text = text.substr(0, bracket);
  }
  const auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), bare))
    assignment.fail("'" + std::string(text) + "' is no key", kForm);
  step.name = text;
  return step;
}

Assignment take_apart(const std::string& given) {
  Assignment assignment{given, {}, {}};
  const auto equals = given.find('=');
  if (equals == std::string::npos) assignment.fail("there is no '='", kForm);
  for (const auto& part : split(std::string(trim(given.substr(0, equals))), '.'))
    assignment.steps.push_back(step_of(assignment, part));
  if (assignment.steps.back().index)
    assignment.fail("this is a whole table", "add a key of it: --set objective[0].samples=60");
  assignment.value = trim(given.substr(equals + 1));
  return assignment;
}

/// The table that a key is in, and what both are called in this document.
struct Target {
  toml::table* table = nullptr;  ///< null where it is absent
  std::vector<std::string> path;
  bool in_array = false;
  std::string key;
};

toml::array* array_of_tables(toml::node& node) {
  auto* array = node.as_array();
  return array != nullptr && !array->empty() && array->is_homogeneous(toml::node_type::table)
             ? array
             : nullptr;
}

/// What tells an element of a list of tables from the others: its first string that no other has.
std::string name_of(toml::array& array, std::size_t element) {
  std::string name;
  toml::source_position first{};
  for (const auto& [key, value] : *array[element].as_table()) {
    const auto* text = value.as_string();
    if (text == nullptr || (!name.empty() && value.source().begin > first)) continue;
    name = text->get();
    first = value.source().begin;
  }
  return name;
}

std::string name_of_element(toml::array& array, std::size_t element) {
  const auto name = name_of(array, element);
  for (std::size_t i = 0; i < array.size(); ++i)
    if (i != element && name_of(array, i) == name) return "[" + std::to_string(element) + "]";
  return name.empty() ? "[" + std::to_string(element) + "]" : "." + name;
}

/// Fails unless the step at `at`, which has a number, speaks of a list of tables in `table`.
void expect_list(toml::table* table, const Assignment& assignment, std::size_t at,
                 const std::string& full) {
  auto* node = table == nullptr ? nullptr : table->get(assignment.steps[at].name);
  if (node != nullptr && array_of_tables(*node) != nullptr) return;
  if (node != nullptr && node->is_table())
    assignment.fail("[" + full + "] is one table, not a list of them",
                    "leave its number out: --set " + assignment.without_index(at));
  if (node == nullptr)
    assignment.fail("the file has no [[" + full + "]]",
                    "write it into the file, or leave the number out where it is a single table: "
                    "--set " +
                        assignment.without_index(at));
}

/// The element that the step at `at` (or the one behind it, which is then taken) speaks of.
toml::table* element_of(toml::array& array, const Assignment& assignment, std::size_t& at) {
  const auto& steps = assignment.steps;
  if (steps[at].index) {
    if (*steps[at].index < array.size()) return array[*steps[at].index].as_table();
    assignment.fail("there are only " + std::to_string(array.size()) + " [[" + steps[at].name +
                        "]], counted from 0",
                    "");
  }
  if (at + 2 < steps.size())
    for (std::size_t i = 0; i < array.size(); ++i)
      if (name_of(array, i) == steps[at + 1].name) {
        if (steps[++at].index)
          assignment.fail(
              "'" + steps[at].name + "' is one [[" + steps[at - 1].name + "]], not a list of them",
              "leave its number out: --set " + assignment.without_index(at));
        return array[i].as_table();
      }
  if (array.size() == 1 && at + 2 == steps.size()) return array[0].as_table();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < array.size(); ++i)
    names.push_back(steps[at].name + name_of_element(array, i) + "." + steps.back().name);
  assignment.fail(at + 2 < steps.size()
                      ? "there is no [[" + steps[at].name + "]] '" + steps[at + 1].name + "'"
                      : "there are " + std::to_string(array.size()) + " [[" + steps[at].name + "]]",
                  "one of: " + join(names));
}

/// The name by which `key` is there: today's, or its former one.
std::string written(const toml::table& table, const std::string& full, const std::string& key,
                    const FormerKeys& former) {
  if (table.contains(key)) return key;
  const auto name = [&](const std::string& other) {
    return full.empty() ? other : full + "." + other;
  };
  if (const auto found = former.find(name(key));
      found != former.end() && table.contains(found->second))
    return found->second;
  for (const auto& [today, before] : former)
    if (before == key && today.substr(0, today.rfind('.')) == full &&
        table.contains(today.substr(today.rfind('.') + 1)))
      return today.substr(today.rfind('.') + 1);
  return key;
}

/// `make`: tables that are absent are made.
Target find_target(toml::table& root, const Assignment& assignment, const FormerKeys& former,
                   bool make) {
  Target target;
  target.table = &root;
  std::string full;
  for (std::size_t i = 0; i + 1 < assignment.steps.size(); ++i) {
    const auto name = assignment.steps[i].name;
    full += (full.empty() ? "" : ".") + name;
    target.path.push_back(name);
    if (assignment.steps[i].index) expect_list(target.table, assignment, i, full);
    if (target.table == nullptr) continue;
    if (make && !target.table->contains(name)) target.table->insert(name, toml::table());
    auto* node = target.table->get(name);
    if (node == nullptr) {
      target.table = nullptr;
    } else if (auto* array = array_of_tables(*node)) {
      target.table = element_of(*array, assignment, i);
      target.in_array = true;
    } else {
      target.table = node->as_table();
      if (target.table == nullptr)
        assignment.fail("'" + full + "' is no table", "it is a key: --set " + full + "=VALUE");
    }
  }
  target.key = assignment.steps.back().name;
  if (target.table == nullptr) return target;
  target.key = written(*target.table, full, target.key, former);
  if (auto* node = target.table->get(target.key);
      node != nullptr && (node->is_table() || array_of_tables(*node) != nullptr))
    assignment.fail("'" + target.key + "' is a whole table",
                    "set one of its keys: --set " +
                        assignment.given.substr(0, assignment.given.find('=')) + ".KEY=VALUE");
  return target;
}

std::optional<toml::table> parse(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

/// A value as it is written into the document, and what it is.
struct Value {
  std::string text;
  toml::table holder;  ///< as "v"
  const toml::node& node() const { return *holder.get("v"); }
};

std::optional<Value> value_of(const std::string& text) {
  auto holder = parse("v = " + text);
  if (!holder || holder->size() != 1 || !holder->contains("v")) return std::nullopt;
  return Value{text, std::move(*holder)};
}

Value quoted_value(const Assignment& assignment) {
  if (!is_utf8(assignment.value)) assignment.fail("the value is not UTF-8", "");
  auto value = value_of(nlohmann::json(assignment.value).dump());
  if (!value) assignment.fail("the value has characters that no string of TOML has", "");
  return std::move(*value);
}

/// What is no TOML is a string; and what stands for a string is one ("2024", "true").
Value value_of(const Assignment& assignment, const toml::node* before) {
  const auto value = value_of(assignment.value);
  if (value && (before == nullptr || !before->is_string() || value->node().is_string() ||
                value->node().is_array()))
    return *value;
  if (!value && !assignment.value.empty() &&
      std::string("[{\"'").find(assignment.value[0]) != std::string::npos)
    assignment.fail("the value is no TOML",
                    "keep it from the shell by single quotes: --set 'search.start=[\"a\", \"b\"]'");
  return quoted_value(assignment);
}

/// A document and where its lines come from.
class Text {
 public:
  explicit Text(Assigned& edited) : edited_(edited) {}

  std::size_t offset(const toml::source_position& position) const {
    auto at = line_begin(position.line);
    for (auto column = position.column; column > 1 && at < edited_.text.size(); --column) {
      ++at;  // columns are code points
      while (at < edited_.text.size() &&
             (static_cast<unsigned char>(edited_.text[at]) & 0xC0) == 0x80)
        ++at;
    }
    return at;
  }

  /// With as many lines as before, where nothing but a comment follows.
  Assigned replaced(std::size_t begin, std::size_t end, std::string text,
                    const std::string& assignment) const {
    Assigned result = edited_;
    const auto line = lines_in(0, begin);
    const auto before = lines_in(begin, end);
    auto after = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    const auto rest = edited_.text.find_first_not_of(" \t\r", end);
    if (rest == std::string::npos || edited_.text[rest] == '\n' || edited_.text[rest] == '#')
      for (; after < before; ++after) text += '\n';
    result.text.replace(begin, end - begin, text);
    auto& lines = result.lines;
    const auto first = lines.begin() + static_cast<std::ptrdiff_t>(line);
    if (after < before)
      lines.erase(first + 1, first + 1 + static_cast<std::ptrdiff_t>(before - after));
    if (after > before) lines.insert(first + 1, after - before, {0, assignment});
    for (std::size_t i = 0; i <= after; ++i) lines[line + i].assignment = assignment;
    return result;
  }

  /// New lines behind line `line`, counted from 1.
  Assigned inserted(std::size_t line, const std::vector<std::string>& texts,
                    const std::string& assignment) const {
    Assigned result = edited_;
    std::string added;
    for (const auto& text : texts) added += text + "\n";
    auto at = line_begin(line + 1);
    if (at == result.text.size() && at > 0 && result.text.back() != '\n') {
      result.text += '\n';
      ++at;
    } else if (line >= result.lines.size() && !result.lines.empty()) {
      line = result.lines.size() - 1;  // what stands behind the last line break is no line
    }
    result.text.insert(at, added);
    const auto place = std::min(line, result.lines.size());
    result.lines.insert(result.lines.begin() + static_cast<std::ptrdiff_t>(place), texts.size(),
                        {0, assignment});
    return result;
  }

 private:
  std::size_t lines_in(std::size_t begin, std::size_t end) const {
    return static_cast<std::size_t>(
        std::count(edited_.text.begin() + static_cast<std::ptrdiff_t>(begin),
                   edited_.text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
  }
  std::size_t line_begin(std::size_t line) const {
    std::size_t at = 0;
    for (; line > 1; --line) {
      const auto end = edited_.text.find('\n', at);
      if (end == std::string::npos) return edited_.text.size();
      at = end + 1;
    }
    return at;
  }

  Assigned& edited_;
};

/// The last line of a table that has a value of its own; that of its header where none has.
std::size_t last_line(const toml::table& table) {
  std::size_t line = table.source().begin.line;
  for (const auto& [key, value] : table) {
    const auto* inner = value.as_table();
    if (inner != nullptr && !inner->is_inline()) continue;
    if (const auto* array = value.as_array(); array != nullptr && !array->empty() &&
                                              (*array)[0].is_table() &&
                                              !(*array)[0].as_table()->is_inline())
      continue;
    line = std::max<std::size_t>(line, value.source().end.line);
  }
  return line;
}

/// The ways to write a value into a document, the closest first. Not each of them is right
/// everywhere.
std::vector<Assigned> ways(Assigned& edited, const Target& target, const std::string& value,
                           const std::string& assignment) {
  const Text text(edited);
  std::vector<Assigned> result;
  const auto line = target.key + " = " + value;
  if (target.table != nullptr) {
    if (const auto* node = target.table->get(target.key)) {
      const auto& place = node->source();
      result.push_back(
          text.replaced(text.offset(place.begin), text.offset(place.end), value, assignment));
      return result;
    }
    if (target.table->is_inline()) {
      const auto brace = text.offset(target.table->source().end) - 1;
      const auto end = edited.text.find_last_not_of(" \t", brace - 1) + 1;
      result.push_back(
          text.replaced(end, end, (target.table->empty() ? " " : ", ") + line, assignment));
    }
    const auto last = last_line(*target.table);
    result.push_back(text.inserted(last, {line}, assignment));
    result.push_back(text.inserted(last, {join(target.path, ".") + "." + line}, assignment));
  }
  if (!target.in_array)
    result.push_back(
        text.inserted(edited.lines.size(), {"[" + join(target.path, ".") + "]", line}, assignment));
  return result;
}

/// A document without a key: what stands before and behind it on its lines remains.
Assigned without(Assigned& edited, const Target& target, const std::string& assignment) {
  const Text text(edited);
  const auto found = target.table->find(target.key);
  return text.replaced(text.offset(found->first.source().begin),
                       text.offset(found->second.source().end), "", assignment);
}

}  // namespace

Assigned assign(const std::string& text, const std::vector<std::string>& assignments,
                const FormerKeys& former) {
  Assigned edited{text, {}};
  if (assignments.empty()) return edited;
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (std::int64_t line = 1; line <= lines; ++line) edited.lines.push_back({line, {}});
  for (const auto& given : assignments) {
    const auto assignment = take_apart(given);
    auto root = toml::parse(edited.text);
    const auto target = find_target(root, assignment, former, false);
    const auto* before = target.table == nullptr ? nullptr : target.table->get(target.key);
    toml::table wanted = root;
    std::vector<Assigned> candidates;
    if (assignment.value.empty() && before == nullptr)
      assignment.fail("the file has no such key to take out", "leave this out");
    if (assignment.value.empty() && !before->is_string()) {
      find_target(wanted, assignment, former, false).table->erase(target.key);
      candidates.push_back(without(edited, target, "--set " + given));
    } else {
      const auto value = value_of(assignment, before);
      find_target(wanted, assignment, former, true)
          .table->insert_or_assign(target.key, value.node());
      candidates = ways(edited, target, value.text, "--set " + given);
    }
    const auto right = std::find_if(candidates.begin(), candidates.end(), [&](const auto& made) {
      const auto parsed = parse(made.text);
      return parsed && *parsed == wanted;
    });
    if (right == candidates.end())
      assignment.fail("there is no place for this key in the file as it is written",
                      "write the key into the file");
    edited = *right;
  }
  return edited;
}

}  // namespace mosaic::core::detail
