#include "pagmo_problem.hpp"

#include <cmath>
#include <stdexcept>

namespace mosaic::search {

spaces::Genotype genotype_of(const pagmo::vector_double& genes) {
  spaces::Genotype genotype;
  for (const double gene : genes) genotype.push_back(static_cast<int>(std::lround(gene)));
  return genotype;
}

SpaceProblem::SpaceProblem(const spaces::Space& space, std::size_t objectives)
    : objectives_(objectives) {
  upper_.clear();
  for (const auto& gene : space.genes())
    upper_.push_back(static_cast<double>(gene.labels.size() - 1));
}

std::pair<pagmo::vector_double, pagmo::vector_double> SpaceProblem::get_bounds() const {
  return {pagmo::vector_double(upper_.size(), 0.0), upper_};
}

pagmo::vector_double SpaceProblem::fitness(const pagmo::vector_double& genes) const {
  return batch_fitness(genes);
}

pagmo::vector_double SpaceProblem::batch_fitness(const pagmo::vector_double& generation) const {
  if (*fitness_ == nullptr) throw std::logic_error("SpaceProblem: nobody is connected");
  std::vector<spaces::Genotype> genotypes;
  for (auto gene = generation.begin(); gene != generation.end();) {
    const auto end = gene + static_cast<std::ptrdiff_t>(upper_.size());
    genotypes.push_back(genotype_of({gene, end}));
    gene = end;
  }
  const auto vectors = (**fitness_)(genotypes);
  if (vectors.size() != genotypes.size())
    throw std::logic_error("SpaceProblem: one objective vector per network is expected");
  pagmo::vector_double flat;
  for (const auto& vector : vectors) {
    if (vector.size() != objectives_)
      throw std::logic_error("SpaceProblem: objective vector of the wrong length");
    flat.insert(flat.end(), vector.begin(), vector.end());
  }
  return flat;
}

}  // namespace mosaic::search

PAGMO_S11N_PROBLEM_IMPLEMENT(mosaic::search::SpaceProblem)
