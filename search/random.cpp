#include <algorithm>
#include <optional>

#include "algorithm_state.hpp"
#include "mosaic/core/random.hpp"
#include "mosaic/search/algorithm.hpp"
#include "population.hpp"

namespace mosaic::search {

namespace {

/// So many draws in a row that were all known: time to list what is left, or to give up.
constexpr int kPatience = 1000;

/// Random search: every generation is `population` distinct networks that were not drawn before;
/// the first begins with those that were given. Genes are drawn uniformly, so that networks with
/// many inactive genes, which have many genotypes, come earlier. A space of up to a million
/// genotypes is drawn to its last network; then generations are empty. Its whole state is the
/// number of generations: load() draws them again.
class RandomSearch : public SearchAlgorithm {
 public:
  RandomSearch(const spaces::Space& space, const AlgorithmSettings& settings, std::string identity)
      : space_(space),
        settings_(settings),
        identity_(std::move(identity)),
        drawn_(settings_.candidates) {}

  void step(const BatchFitness& fitness) override {
    const auto batch = draw();
    if (!batch.empty()) fitness(batch);
  }

  std::string save() const override { return write_state(identity_, std::to_string(generations_)); }

  void load(const std::string& state) override {
    const std::string content = read_state(identity_, state);
    if (content.empty() || content.size() > 18 ||
        content.find_first_not_of("0123456789") != std::string::npos)
      throw_bad_state("random", "its number of generations is '" + content + "'");
    const auto generations = std::stoull(content);
    drawn_ = Known(settings_.candidates);
    generations_ = 0;
    while (generations_ < generations) draw();
  }

 private:
  std::vector<spaces::Genotype> draw() {
    std::vector<spaces::Genotype> batch;
    if (generations_ == 0)
      for (const auto& genotype : settings_.start)
        if (drawn_.add(genotype)) batch.push_back(genotype);
    core::Stream stream(settings_.seed, "search/random", generations_++);
    if (settings_.candidates) {
      drawn_.fill(batch, settings_.population, space_, stream);
      return batch;
    }
    int misses = 0;
    while (batch.size() < settings_.population && misses < kPatience) {
      spaces::Genotype genotype = space_.random(stream);
      const bool is_new = drawn_.add(genotype);
      misses = is_new ? 0 : misses + 1;
      if (is_new) batch.push_back(std::move(genotype));
    }
    if (batch.size() < settings_.population) draw_from_rest(stream, batch);
    return batch;
  }

  void draw_from_rest(core::Stream& stream, std::vector<spaces::Genotype>& batch) {
    if (!all_) all_ = space_.enumerate().value_or(std::vector<spaces::Genotype>{});
    std::vector<spaces::Genotype> rest;
    std::copy_if(all_->begin(), all_->end(), std::back_inserter(rest),
                 [&](const auto& genotype) { return !drawn_.contains(genotype); });
    stream.shuffle(rest);
    rest.resize(std::min(rest.size(), settings_.population - batch.size()));
    for (auto& genotype : rest) {
      drawn_.add(genotype);
      batch.push_back(std::move(genotype));
    }
  }

  const spaces::Space& space_;
  AlgorithmSettings settings_;
  std::string identity_;
  std::uint64_t generations_ = 0;
  Known drawn_;
  std::optional<std::vector<spaces::Genotype>> all_;  // once the space is nearly exhausted
};

std::unique_ptr<SearchAlgorithm> make_random(const core::Call& call, const spaces::Space& space,
                                             const AlgorithmSettings& settings) {
  return std::make_unique<RandomSearch>(space, settings, state_identity(call, space, settings));
}

const core::Registered kEntry{
    algorithms(), "random", "distinct networks drawn at random; the baseline of every search",
    AlgorithmType{.make = make_random,
                  .arguments = [](const core::Call& call) { call.expect_only({}); }}};

}  // namespace

}  // namespace mosaic::search
