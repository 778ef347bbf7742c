/// Variation of genotypes, as all of our own algorithms use it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "mosaic/core/random.hpp"
#include "mosaic/spaces/space.hpp"

namespace mosaic::search {

/// Another option of one gene: any other of a categorical gene with equal chance; of an ordered
/// gene one of the two neighbours with chance 0.8, else any other.
int mutate_option(const spaces::Gene& gene, int option, core::Stream& stream);

/// Changes one gene that this network depends on (canonical); more with chance `more`, and so on.
/// A space of one network gives that network.
spaces::Genotype mutate(const spaces::Space& space, const spaces::Genotype& genotype,
                        core::Stream& stream, double more = 0);

/// Every gene from one of the two parents with equal chance (canonical).
spaces::Genotype cross(const spaces::Space& space, const spaces::Genotype& a,
                       const spaces::Genotype& b, core::Stream& stream);

/// All networks that differ from this one in a single decision (canonical, distinct, without
/// itself), in the order of the genes. Neighbouring options only of ordered genes.
std::vector<spaces::Genotype> neighbours(const spaces::Space& space,
                                         const spaces::Genotype& genotype);

/// A random network for which `known` is false; nullopt when a thousand draws found none and the
/// space, where it can be listed, holds none.
std::optional<spaces::Genotype> draw_unknown(
    const spaces::Space& space, core::Stream& stream,
    const std::function<bool(const spaces::Genotype&)>& known);

/// Objective vectors in which feasibility comes before dominance: the first `objectives` numbers of
/// each vector if the rest (by how much constraints are exceeded) are all <= 0; otherwise the same
/// number in all objectives, larger than any feasible value and growing with the sum of what is
/// exceeded. So an infeasible network is dominated by every feasible one and by every one that is
/// nearer to being so.
std::vector<double> penalised(const std::vector<double>& vector, std::size_t objectives);

/// True where an evaluated vector stands for a failure.
bool failed(const std::vector<double>& vector);

}  // namespace mosaic::search
