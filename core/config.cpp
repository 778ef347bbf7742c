#include "mosaic/core/config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "assign.hpp"
#include "mosaic/core/describe.hpp"
#include "mosaic/core/error.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/hash.hpp"

namespace mosaic::core {

namespace {

const char* with_article(toml::node_type type) {
  using enum toml::node_type;
  static const std::map<toml::node_type, const char*> kNames{
      {table, "a table"},      {array, "an array"},         {string, "a string"},
      {integer, "an integer"}, {floating_point, "a float"}, {boolean, "a boolean"}};
  const auto found = kNames.find(type);
  return found == kNames.end() ? "a date or time" : found->second;
}

/// A scalar as text, strings without quotes.
std::string scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_floating_point()) return format_double(number->get());
  std::ostringstream out;
  node.visit([&out](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) out << std::boolalpha << value.get();
  });
  return out.str();
}

double number_of(const toml::node& node) {
  return node.is_integer() ? static_cast<double>(node.as_integer()->get())
                           : node.as_floating_point()->get();
}

bool is_scalar(const toml::node& node) { return !node.is_table() && !node.is_array(); }

/// One line for messages, near enough to how it was written.
std::string display(const toml::node& node) {
  if (node.is_table()) return "{...}";
  if (const auto* array = node.as_array()) return "[" + join(mapped(*array, display)) + "]";
  std::string text = scalar_text(node);
  if (node.is_string()) {
    for (char& c : text)
      if (c == '\n' || c == '\r') c = ' ';
    return '"' + text + '"';
  }
  if (node.is_floating_point() && text.find_first_not_of("-0123456789") == std::string::npos)
    text += ".0";
  return text;
}

std::string shortened(std::string text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() > kLongest) text = text.substr(0, kLongest - 3) + "...";
  return text;
}

std::string child_name(const std::string& parent, const std::string& key) {
  return parent.empty() ? key : parent + "." + key;
}

void hash_node(Hasher& hasher, const toml::node& node, const std::string& name,
               const FormerKeys& former) {
  if (const auto* table = node.as_table()) {
    hasher.add("table").add(static_cast<std::int64_t>(table->size()));
    std::map<std::string, std::pair<std::string, const toml::node*>> values;  // by former name
    for (const auto& [key, value] : *table) {
      const std::string full = child_name(name, std::string(key.str()));
      const auto found = former.find(full);
      values[found == former.end() ? std::string(key.str()) : found->second] = {full, &value};
    }
    for (const auto& [key, value] : values) {
      hasher.add(key);
      hash_node(hasher, *value.second, value.first, former);
    }
    return;
  }
  if (const auto* array = node.as_array()) {
    hasher.add("array").add(static_cast<std::int64_t>(array->size()));
    for (const auto& element : *array) hash_node(hasher, element, name, former);
    return;
  }
  // 1 and 1.0 are the same number to every reader that takes both, and have the same text.
  const bool number = node.is_integer() || node.is_floating_point();
  hasher.add(number ? "number" : with_article(node.type())).add(scalar_text(node));
}

/// Today's name of a key of `table`.
std::string todays_key(const FormerKeys& former, const std::string& table, const std::string& key) {
  for (const auto& [today, before] : former) {
    const auto dot = today.rfind('.');
    if (before == key && today.substr(0, dot) == table) return today.substr(dot + 1);
  }
  return key;
}

/// Every value below a node, by its full name of today. `table`: the name without indices.
void collect(const toml::node& node, const std::string& name, const std::string& table_name,
             const FormerKeys& former, std::map<std::string, const toml::node*>& values) {
  const auto* array = node.as_array();
  if (const auto* table = node.as_table())
    for (const auto& [key, value] : *table) {
      const auto today = todays_key(former, table_name, std::string(key.str()));
      collect(value, child_name(name, today), child_name(table_name, today), former, values);
    }
  else if (array != nullptr && !array->empty() && (*array)[0].is_table())
    for (std::size_t i = 0; i < array->size(); ++i)
      collect((*array)[i], name + "[" + std::to_string(i) + "]", table_name, former, values);
  else
    values[name] = &node;
}

std::string value_hash(const toml::node& node) {
  Hasher hasher;
  hash_node(hasher, node, {}, {});
  return hasher.hex();
}

std::int64_t line_of(const toml::source_region& region) {
  return static_cast<std::int64_t>(region.begin.line);
}

std::string element_path(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

}  // namespace

struct Config::Document {
  struct Unknown {
    std::int64_t line;
    std::string message;
    std::string advice;
  };

  std::string origin;
  std::string text;
  FormerKeys former;
  std::vector<detail::LineOrigin> lines;  ///< empty: as they are
  toml::table root;
  /// Keys that were asked for, by the path of their table ("objective[0].stop"): a table can be
  /// read through several Sections.
  std::map<std::string, std::set<std::string>> asked;

  /// A line of the file, or what was set from outside.
  std::string place(std::int64_t line) const {
    if (line > 0 && line <= std::ssize(lines)) {
      const auto& from = lines[static_cast<std::size_t>(line) - 1];
      if (!from.assignment.empty()) return from.assignment;
      line = from.line;
    }
    return line > 0 ? origin + ":" + std::to_string(line) : origin;
  }

  /// Adds what nobody asked for in `table`. `name` is what stands in its header, without brackets.
  void find_unknown(const toml::table& table, const std::string& path, const std::string& name,
                    const std::string& title, std::vector<Unknown>& found) const {
    static const std::set<std::string> kNone;
    const auto entry = asked.find(path);
    const auto& known = entry == asked.end() ? kNone : entry->second;
    for (const auto& [key, value] : table) {
      const std::string text_key(key.str());
      const std::string full = child_name(name, text_key);
      if (known.count(text_key) == 0) {
        found.push_back(unknown(text_key, full, title, value, line_of(key.source()), known));
      } else if (const auto* child = value.as_table()) {
        find_unknown(*child, child_name(path, text_key), full, "[" + full + "]", found);
      } else if (const auto* array = value.as_array()) {
        for (std::size_t i = 0; i < array->size(); ++i)
          if (const auto* element = (*array)[i].as_table())
            find_unknown(*element, element_path(child_name(path, text_key), i), full,
                         "[[" + full + "]]", found);
      }
    }
  }

  Unknown unknown(const std::string& key, const std::string& full, const std::string& title,
                  const toml::node& value, std::int64_t line,
                  const std::set<std::string>& known) const {
    const auto* array = value.as_array();
    const bool tables = array != nullptr && !array->empty() && (*array)[0].is_table();
    std::string what = "unknown key '" + key + "'" + (title.empty() ? "" : " in " + title);
    if (value.is_table()) what = "unknown table [" + full + "]";
    if (tables) what = "unknown table [[" + full + "]]";
    const std::vector<std::string> names(known.begin(), known.end());
    std::string advice = did_you_mean(key, names) + "known keys here: " + join(names);
    if (names.empty()) advice = "no keys are known here, remove it";
    return {line, place(line) + ": " + what, advice};
  }
};

struct Section::Impl {
  std::shared_ptr<Config::Document> document;
  const toml::table* table = nullptr;  ///< null where it is absent
  std::string path;
  std::string name;
  std::string title;

  /// The name that `key` is written by: its former one where only that is there.
  std::string written(const std::string& key) const {
    const auto former = document->former.find(child_name(name, key));
    const bool by_former = table != nullptr && former != document->former.end() &&
                           table->contains(former->second) && !table->contains(key);
    return by_former ? former->second : key;
  }

  void expect_one_name(const std::string& key) const {
    const auto former = document->former.find(child_name(name, key));
    if (table == nullptr || former == document->former.end() || !table->contains(key) ||
        !table->contains(former->second))
      return;
    throw UsageError(document->place(line(former->second)) + ": " + title + " " + former->second +
                         ": is the former name of '" + key + "', which is given as well",
                     "remove one of them");
  }

  /// The value of `key`, null where it is absent; from now on the key is known.
  const toml::node* find(const std::string& key) {
    document->asked[path].insert(key);
    const auto found = written(key);
    document->asked[path].insert(found);
    if (found == key) expect_one_name(key);
    return table == nullptr ? nullptr : table->get(found);
  }

  const toml::node* peek(const std::string& key) const {
    return table == nullptr || key.empty() ? nullptr : table->get(written(key));
  }

  std::int64_t line(const std::string& key) const {
    if (table == nullptr) return 0;
    const auto found = key.empty() ? table->end() : table->find(written(key));
    if (found == table->end()) return title.empty() ? 0 : line_of(table->source());
    return line_of(found->first.source());
  }

  /// Keys of the table that nobody asked for so far: what a missing key may have been misspelt as.
  std::vector<std::string> unread() const {
    std::vector<std::string> keys;
    if (table == nullptr) return keys;
    const auto& known = document->asked[path];
    for (const auto& [key, value] : *table)
      if (known.count(std::string(key.str())) == 0) keys.emplace_back(key.str());
    return keys;
  }

  std::shared_ptr<Impl> child(const std::string& key, const toml::table* node) const {
    const std::string full = child_name(name, key);
    return std::make_shared<Impl>(
        Impl{document, node, child_name(path, key), full, "[" + full + "]"});
  }
};

namespace {

/// The way out where a value is of the wrong kind or out of range.
std::string value_advice(const toml::node& node, bool wants_string, const std::string& fallback) {
  if (!wants_string && node.is_string())
    return "give it without quotes, as a number or true or false";
  if (wants_string && is_scalar(node)) return "put it in quotes";
  return fallback.empty() ? "" : "leave it out for the default, " + fallback;
}

std::string not_a(const toml::node& node) {
  return std::string(", not ") + with_article(node.type());
}

}  // namespace

bool Section::has(const std::string& key) const { return impl_->find(key) != nullptr; }

std::int64_t Section::integer(const std::string& key, std::int64_t fallback, std::int64_t lo,
                              std::int64_t hi) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  const std::string expected = "must be " + expected_integer(lo, hi);
  const std::string standard = fallback >= lo && fallback <= hi ? std::to_string(fallback) : "";
  const auto* value = node->as_integer();
  if (value == nullptr) fail(key, expected + not_a(*node), value_advice(*node, false, standard));
  if (value->get() < lo || value->get() > hi)
    fail(key, expected, value_advice(*node, false, standard));
  return value->get();
}

double Section::number(const std::string& key, double fallback, double lo, double hi) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  const std::string expected = "must be " + expected_number(lo, hi);
  const std::string standard = fallback >= lo && fallback <= hi ? format_double(fallback) : "";
  if (!node->is_number()) fail(key, expected + not_a(*node), value_advice(*node, false, standard));
  const double value = number_of(*node);
  if (!std::isfinite(value) || value < lo || value > hi)
    fail(key, expected, value_advice(*node, false, standard));
  return value;
}

bool Section::flag(const std::string& key, bool fallback) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  if (!node->is_boolean())
    fail(key, "must be true or false" + not_a(*node),
         value_advice(*node, false, fallback ? "true" : "false"));
  return node->as_boolean()->get();
}

std::string Section::string(const std::string& key, const std::string& fallback) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  if (!node->is_string())
    fail(key, "must be a string" + not_a(*node), value_advice(*node, true, ""));
  return node->as_string()->get();
}

std::string Section::required_string(const std::string& key) {
  if (impl_->find(key) != nullptr) return string(key, {});
  const auto misspelt = nearest_name(key, impl_->unread());
  const std::string table = impl_->title.empty() ? "the top of the file" : impl_->title;
  fail(key, "is missing, and there is no default",
       misspelt.empty() ? "add " + key + " = \"...\" to " + table
                        : "did you write '" + misspelt + "' for '" + key + "'?");
}

std::string Section::one_of(const std::string& key, const std::string& fallback,
                            const std::vector<std::string>& choices) {
  const std::string value = string(key, fallback);
  if (impl_->peek(key) == nullptr) return value;
  for (const auto& choice : choices)
    if (choice == value) return value;
  fail(key, "unknown choice", did_you_mean(value, choices) + "choices: " + join(choices));
}

namespace {

/// The array that `node` is, whose elements are all such as `fits` takes.
template <class Fits>
const toml::array& array_of(const Section& section, const std::string& key, const toml::node& node,
                            const std::string& plural, const std::string& advice,
                            const Fits& fits) {
  const std::string expected = "must be an array of " + plural;
  const auto* array = node.as_array();
  if (array == nullptr) section.fail(key, expected + not_a(node), advice);
  for (std::size_t i = 0; i < array->size(); ++i)
    if (const auto& element = (*array)[i]; !fits(element))
      section.fail(key,
                   expected + ", but element " + std::to_string(i + 1) + " is " +
                       with_article(element.type()),
                   advice);
  return *array;
}

}  // namespace

std::vector<std::string> Section::strings(const std::string& key,
                                          const std::vector<std::string>& fallback) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  std::vector<std::string> result;
  for (const auto& element :
       array_of(*this, key, *node, "strings", "write " + key + " = [\"a\", \"b\"]",
                [](const toml::node& one) { return one.is_string(); }))
    result.push_back(element.as_string()->get());
  return result;
}

std::vector<double> Section::numbers(const std::string& key, const std::vector<double>& fallback,
                                     double lo, double hi) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return fallback;
  const std::string advice = "write " + key + " = [0.3, 0.5]";
  std::vector<double> result;
  for (const auto& element : array_of(*this, key, *node, "numbers", advice,
                                      [](const toml::node& one) { return one.is_number(); })) {
    result.push_back(number_of(element));
    if (!std::isfinite(result.back()) || result.back() < lo || result.back() > hi)
      fail(key, "element " + std::to_string(result.size()) + " must be " + expected_number(lo, hi),
           advice);
  }
  return result;
}

Section Section::section(const std::string& key) {
  const auto* node = impl_->find(key);
  const auto* table = node == nullptr ? nullptr : node->as_table();
  if (node != nullptr && table == nullptr)
    fail(key, std::string("must be a table") + not_a(*node),
         "write [" + child_name(impl_->name, key) + "] on a line of its own, then its keys");
  return Section(impl_->child(key, table));
}

std::vector<Section> Section::sections(const std::string& key) {
  const auto* node = impl_->find(key);
  if (node == nullptr) return {};
  const std::string full = child_name(impl_->name, key);
  const std::string advice = "write [[" + full + "]] above the keys of each";
  const auto* array = node->as_array();
  if (array == nullptr) fail(key, "must be an array of tables" + not_a(*node), advice);
  std::vector<Section> result;
  for (const auto& element : *array) {
    if (!element.is_table())
      fail(key,
           std::string("must be an array of tables, but holds ") + with_article(element.type()),
           advice);
    auto child = impl_->child(key, element.as_table());
    child->path = element_path(child->path, result.size());
    child->title = "[[" + full + "]]";
    result.push_back(Section(std::move(child)));
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> Section::scalars_except(
    const std::vector<std::string>& known) {
  std::vector<std::pair<std::string, std::string>> result;
  if (impl_->table == nullptr) return result;
  const std::set<std::string> skipped(known.begin(), known.end());
  for (const auto& [key, value] : *impl_->table) {
    const std::string name(key.str());
    if (skipped.count(name) != 0 || !is_scalar(value)) continue;
    impl_->find(name);
    result.emplace_back(name, scalar_text(value));
  }
  return result;
}

void Section::fail(const std::string& key, const std::string& message,
                   const std::string& advice) const {
  const auto* node = impl_->peek(key);
  std::string value;
  if (node != nullptr && !node->is_table()) value = " = " + shortened(display(*node));
  throw UsageError(where(key) + value + ": " + message, advice);
}

std::string Section::where(const std::string& key) const {
  std::string result = impl_->document->place(impl_->line(key));
  if (impl_->title.empty() && key.empty()) return result;
  result += ":";
  if (!impl_->title.empty()) result += " " + impl_->title;
  if (!key.empty()) result += " " + impl_->written(key);
  return result;
}

Config Config::from_file(const std::string& path, FormerKeys former,
                         const std::vector<std::string>& assignments) {
  std::string text;
  try {
    text = read_file(path);
  } catch (const Error& error) {
    throw UsageError(error.message(), error.advice());
  }
  return from_text(text, path, std::move(former), assignments);
}

namespace {

/// What the text of a job file that is no TOML looks like, as advice.
std::string advice_on(const std::string& text, std::int64_t number) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
      text.find('\0') != std::string::npos)
    return "the file seems to be UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)";
  const auto lines = split(text, '\n');
  const auto at = static_cast<std::size_t>(number - 1);
  if (number >= 1 && at < lines.size()) {
    for (const char* curly : {"\u201C", "\u201D", "\u2018", "\u2019"})
      if (lines[at].find(curly) != std::string::npos)
        return "write straight quotes (\") where line " + std::to_string(number) +
               " has curly ones";
    if (!is_utf8(lines[at]))
      return "line " + std::to_string(number) +
             " is not UTF-8: save the file as UTF-8 (iconv -f LATIN1 -t UTF-8)";
  }
  return "correct this line, a job file is TOML (see https://toml.io)";
}

}  // namespace

Config Config::from_text(const std::string& text, const std::string& origin, FormerKeys former,
                         const std::vector<std::string>& assignments) {
  if (!assignments.empty()) {
    from_text(text, origin);  // what is wrong with the file is said by its own lines
    auto edited = detail::assign(text, assignments, former);
    auto config = from_text(edited.text, origin, std::move(former));
    config.document_->lines = std::move(edited.lines);
    return config;
  }
  Config config;
  config.document_ = std::make_shared<Document>();
  config.document_->origin = origin;
  config.document_->text = text;
  config.document_->former = std::move(former);
  try {
    config.document_->root = toml::parse(std::string_view(config.document_->text));
  } catch (const toml::parse_error& error) {
    throw UsageError(
        config.document_->place(line_of(error.source())) + ": " + std::string(error.description()),
        advice_on(text, line_of(error.source())));
  }
  return config;
}

Section Config::root() {
  auto impl = std::make_shared<Section::Impl>();
  impl->document = document_;
  impl->table = &document_->root;
  return Section(std::move(impl));
}

void Config::finish() const {
  std::vector<Document::Unknown> found;
  document_->find_unknown(document_->root, "", "", "", found);
  if (found.empty()) return;
  const auto first = std::min_element(found.begin(), found.end(),
                                      [](const auto& a, const auto& b) { return a.line < b.line; });
  throw UsageError(first->message, first->advice);
}

const std::string& Config::text() const { return document_->text; }

std::string Config::hash() const {
  Hasher hasher;
  hash_node(hasher, document_->root, {}, document_->former);
  return hasher.hex();
}

std::vector<Config::Change> Config::changes_since(const Config& before) const {
  std::map<std::string, const toml::node*> then, now;
  collect(before.document_->root, "", "", before.document_->former, then);
  collect(document_->root, "", "", document_->former, now);
  auto names = then;
  names.insert(now.begin(), now.end());
  std::vector<Change> changes;
  const auto text = [](const auto& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? "absent" : shortened(display(*found->second));
  };
  for (const auto& [name, any] : names)
    if (!then.contains(name) || !now.contains(name) ||
        value_hash(*then.at(name)) != value_hash(*now.at(name)))
      changes.push_back({name, text(then, name), text(now, name)});
  return changes;
}

}  // namespace mosaic::core
