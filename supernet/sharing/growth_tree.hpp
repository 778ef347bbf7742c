/// Per-slot growth: which units of slots have how many copies, and which architecture is sent to
/// which. Free of torch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mosaic/spaces/space.hpp"

namespace mosaic::supernet {

/// What grows as one: the slots of a weighted layer, and those of the normalisation behind it.
struct GrowthUnit {
  std::string name;
  std::vector<int> slots;    ///< of the SuperGraph
  std::int64_t entries = 0;  ///< weights of one copy
};
/// In the order of the SuperGraph's nodes.
std::vector<GrowthUnit> growth_units(const spaces::SuperGraph& graph);

/// A question with two answers about an architecture, asked at a unit.
struct Question {
  int gene = -1;                ///< is this decision's option among `options`?
  std::vector<int> options;     ///< ascending
  std::int64_t size_below = 0;  ///< gene -1: is the layer's input narrower than this many pixels?
  bool operator==(const Question&) const = default;
};

/// One leaf of a unit's tree becomes two: architectures with answer "yes" keep it, the others go to
/// a new leaf, the unit's last.
struct LeafSplit {
  int unit = 0;
  int leaf = 0;
  Question question;
  bool operator==(const LeafSplit&) const = default;
};

/// What an architecture answers questions with: its genotype, and the input width of each unit in
/// pixels (0 where it lacks the unit, or where that is no image).
struct Respondent {
  spaces::Genotype genotype;
  std::vector<std::int64_t> sizes;
};
bool answer(const Question& question, const Respondent& respondent, int unit);

/// A binary tree of questions for every unit; at first each is one leaf. Leaves are copies.
class GrowthTrees {
 public:
  /// From the text of splits ("" or that of text()); throws core::UsageError for a malformed one.
  GrowthTrees(const spaces::SuperGraph& graph, const std::string& text);

  const std::vector<GrowthUnit>& units() const { return units_; }
  const std::vector<LeafSplit>& splits() const { return splits_; }
  void add(const LeafSplit& split);
  /// JSON of all splits in their order; "" where there are none.
  std::string text() const;

  std::int64_t leaves(int unit) const { return leaves_[static_cast<std::size_t>(unit)]; }
  /// All units' leaves.
  std::int64_t leaves() const;
  /// The leaf that the respondent's answers lead to.
  int leaf(int unit, const Respondent& respondent) const;
  /// At each node of the tree the answering side gets `likely` of the mass, the other the rest:
  /// masses of a unit's leaves.
  std::vector<double> masses(int unit, const Respondent& respondent, double likely) const;
  /// Width of each unit's input.
  Respondent respond(const spaces::Space& space, const spaces::Genotype& genotype) const;

  /// The leaf of `parent` that each leaf of a unit comes from. This tree must have grown from it
  /// (throws std::logic_error).
  std::vector<std::int64_t> ancestors(int unit, const GrowthTrees& parent) const;
  /// Unit of each slot; -1 where a slot does not grow.
  const std::vector<int>& unit_of_slot() const { return unit_of_slot_; }

 private:
  std::vector<GrowthUnit> units_;
  std::vector<std::string> genes_;  ///< names
  std::vector<std::size_t> options_;
  std::vector<std::string> first_slot_;  ///< name, of each unit
  std::vector<int> unit_of_slot_;
  std::vector<LeafSplit> splits_;
  std::vector<std::int64_t> leaves_;
};

/// Questions that divide the given architectures at a unit, each side with at least a tenth of
/// them: for every decision all divisions of its options in two (up to five options), or its
/// thresholds (ordered options), and thresholds of the input's width.
std::vector<Question> questions(const spaces::SuperGraph& graph, int unit,
                                const std::vector<Respondent>& respondents);

/// "yes" where short, for people: "edge 1<-0 is skip or none", "input below 16 pixels".
std::string describe(const Question& question, const spaces::SuperGraph& graph);

}  // namespace mosaic::supernet
