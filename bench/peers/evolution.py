"""Random search and regularised evolution."""

import collections

import numpy as np

from peers import nb201


def random_search(problem, seed):
    """Distinct networks, uniformly."""
    for network in np.random.default_rng(seed).permutation(nb201.NETWORKS):
        problem.evaluate(network)


def regularized_evolution(problem, seed, population=10, sample=3):
    """Real et al. 2019: the best of `sample` has a child that differs in one edge; the oldest dies."""
    random = np.random.default_rng(seed)
    members = collections.deque()

    def add(genes):
        network = nb201.number(genes)
        members.append((problem.evaluate(network)[0], network))

    for _ in range(population):
        add(nb201.genes()[random.integers(nb201.NETWORKS)])
    while True:
        chosen = random.choice(len(members), sample, replace=False)
        child = nb201.genes()[min(members[i] for i in chosen)[1]].copy()
        edge = random.integers(len(nb201.EDGES))
        child[edge] = (child[edge] + random.integers(1, len(nb201.OPS))) % len(nb201.OPS)
        add(child)
        members.popleft()
