/// Typed access to a TOML job file: every read states type, default and range; what nobody read is
/// an error.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mosaic::core {

/// One table of a job file. Reading a key marks it as known. Every error is a UsageError that
/// carries file, line and the full key, the value received and what was expected.
class Section {
 public:
  /// Counts as reading: a key whose presence was asked for is known.
  bool has(const std::string& key) const;

  /// Value of `key`, or `fallback` where it is absent. The range is inclusive.
  std::int64_t integer(const std::string& key, std::int64_t fallback,
                       std::int64_t lo = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t hi = std::numeric_limits<std::int64_t>::max());
  /// Accepts integers too; NaN and infinity are errors.
  double number(const std::string& key, double fallback,
                double lo = -std::numeric_limits<double>::infinity(),
                double hi = std::numeric_limits<double>::infinity());
  bool flag(const std::string& key, bool fallback);
  std::string string(const std::string& key, const std::string& fallback);
  /// As string(), but the key must be there.
  std::string required_string(const std::string& key);
  /// One of `choices`; an unknown value lists them and suggests the nearest.
  std::string one_of(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& choices);
  std::vector<std::string> strings(const std::string& key,
                                   const std::vector<std::string>& fallback);
  /// Integers are accepted too. The range is inclusive.
  std::vector<double> numbers(const std::string& key, const std::vector<double>& fallback,
                              double lo = -std::numeric_limits<double>::infinity(),
                              double hi = std::numeric_limits<double>::infinity());

  /// A sub-table; an empty one where it is absent.
  Section section(const std::string& key);
  /// An array of tables (`[[objective]]`); empty where it is absent.
  std::vector<Section> sections(const std::string& key);

  /// All keys of this table that are scalars, as text (used for the options of a space); marks them
  /// read.
  std::vector<std::pair<std::string, std::string>> scalars_except(
      const std::vector<std::string>& known);

  /// Throws UsageError at the line of `key` (of the table itself if `key` is empty).
  [[noreturn]] void fail(const std::string& key, const std::string& message,
                         const std::string& advice = {}) const;

  /// "file.toml:12: [search] population" for messages of others.
  std::string where(const std::string& key) const;

  struct Impl;
  explicit Section(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<Impl> impl_;
};

/// Keys that had another name: the full name of today ("supernet.sharing") and the former key
/// ("router"). Whoever reads asks for today's name; either may be written, not both. A hash is that
/// of the document with former names.
using FormerKeys = std::map<std::string, std::string>;

/// A parsed job file.
class Config {
 public:
  /// Throws UsageError with file and line for a missing file or malformed TOML. `assignments` set
  /// values from outside: "KEY=VALUE" by the full name of a key ("search.evaluations=400"); one of
  /// a list of tables is named by its index, from 0, or by its first string
  /// ("objective.latency_ms.samples=60"). Values are TOML; what is none is a string; where there is
  /// none ("supernet.epochs=") a key that is no string is taken out. text() has them in, and
  /// messages about them name the assignment instead of a line.
  static Config from_file(const std::string& path, FormerKeys former = {},
                          const std::vector<std::string>& assignments = {});
  static Config from_text(const std::string& text, const std::string& origin = "<text>",
                          FormerKeys former = {}, const std::vector<std::string>& assignments = {});

  Section root();

  /// Throws UsageError for the first key that nobody read: file, line, and the nearest key that was
  /// asked for in the same table.
  void finish() const;

  /// The document as written, and a hash over its *values* (comments, order and white space don't
  /// count).
  const std::string& text() const;
  std::string hash() const;
  /// A value that differs from an earlier document's.
  struct Change {
    std::string key;          ///< full name of today: "search.population", "objective[0].samples"
    std::string before, now;  ///< as written, shortened; "absent"
    /// "search.population (30, now 60)".
    std::string text() const { return key + " (" + before + ", now " + now + ")"; }
  };
  std::vector<Change> changes_since(const Config& before) const;

 private:
  struct Document;
  std::shared_ptr<Document> document_;
  friend struct Section::Impl;
};

}  // namespace mosaic::core
