#include "samples.hpp"

#include <set>

#include "mosaic/core/random.hpp"

namespace mosaic::jobs {

std::vector<spaces::Genotype> sample_architectures(const Workplace& work, std::size_t count) {
  if (const auto all = work.space->enumerate(10 * count); all && all->size() <= count) return *all;
  std::vector<spaces::Genotype> result;
  std::set<spaces::Genotype> seen;
  const auto take = [&](spaces::Genotype genotype) {
    if (seen.insert(genotype).second) result.push_back(std::move(genotype));
  };
  take(work.space->smallest());
  take(work.space->largest());
  core::Stream stream(work.file.seed, "latency samples");
  for (std::size_t tries = 0; result.size() < count && tries < 50 * count; ++tries)
    take(work.space->random(stream));
  return result;
}

bool measures_all(const Workplace& work, std::size_t samples) {
  const auto size = work.space->size();
  return size.exact && size.architectures <= static_cast<double>(samples);
}

}  // namespace mosaic::jobs
