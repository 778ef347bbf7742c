"""Gaussian process on one-hot and path features with expected (hypervolume) improvement, in batches.

The strongest peer, and a plain one: everything is what textbooks say (Rasmussen & Williams 2006; exact two-objective
improvement after Emmerich et al. 2008; batches by the kriging believer, Ginsbourger et al. 2010), and all 15,625
networks are scored in every round, which no larger space would allow.
"""

import numpy as np
from scipy import linalg, optimize, special

from peers import figures, nb201

FIRST = 20  # random networks before the first model
BATCH = 10
CANDIDATES = 1000  # the best of all networks go on to the choice of a batch
CEILING = 0.75  # quantile of the observed errors above which all may count the same, see modelled()
JITTER = 1e-6
FARTHEST = 64  # above the largest squared distance of path counts


def distances(first, second):
    """How far networks are apart, [first, second]: the number of edges that differ times FARTHEST, plus the squared
    distance of path counts. Few values occur, so a kernel is a look-up."""
    edges = len(nb201.EDGES) - nb201.one_hot()[first] @ nb201.one_hot()[second].T
    x, y = nb201.path_counts()[first], nb201.path_counts()[second]
    paths = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    return (FARTHEST * edges + paths + 0.5).astype(np.uint16)


class Regression:
    """Zero-mean process on standardised targets with kernel
    `v ((1 - w) exp(-h / a) + w exp(-d / b)) + noise`: h the share of edges that differ, d the squared distance of path
    counts. Parameters by maximal marginal likelihood under weak normal priors on their logarithms."""

    START = np.append(np.log([1.0, 0.5, 10.0, 0.01]), 0.0)  # v, a, b, noise as logarithms, w as logit
    SPREAD = np.array([1.0, 1.0, 1.0, 2.0, 1.0])  # of the priors around START
    BOUNDS = [(-4, 4), (-3, 3), (-1, 6), (-10, 0), (-4, 4)]

    def __init__(self, near, targets, start=None):
        self.mean, self.scale = targets.mean(), max(targets.std(), 1e-12)
        self.targets = (targets - self.mean) / self.scale
        self._edges = near // FARTHEST / len(nb201.EDGES)
        self._paths = (near % FARTHEST).astype(float)
        found = optimize.minimize(self._loss, self.START if start is None else start, jac=True, method="L-BFGS-B",
                                  bounds=self.BOUNDS, options={"maxiter": 25})
        self.parameters = found.x
        self.noise = np.exp(found.x[3]) + JITTER
        matrix = self.kernel(near) + self.noise * np.eye(len(targets))
        self.factor = linalg.cholesky(matrix, lower=True)
        self.weights = linalg.cho_solve((self.factor, True), self.targets)

    def kernel(self, near):
        """Covariances of networks at given distances."""
        v, a, b, _ = np.exp(self.parameters[:4])
        w = special.expit(self.parameters[4])
        edges = np.arange(len(nb201.EDGES) + 1)[:, None] / len(nb201.EDGES)
        table = v * ((1 - w) * np.exp(-edges / a) + w * np.exp(-np.arange(FARTHEST) / b))
        return table.ravel()[near]

    def _loss(self, parameters):
        """Negative log posterior of the parameters, and its gradient."""
        v, a, b, noise = np.exp(parameters[:4])
        w = special.expit(parameters[4])
        edges, paths = np.exp(-self._edges / a), np.exp(-self._paths / b)
        signal = v * ((1 - w) * edges + w * paths)
        identity = np.eye(len(self.targets))
        try:
            factor = linalg.cholesky(signal + (noise + JITTER) * identity, lower=True)
        except linalg.LinAlgError:
            return 1e10, np.zeros(len(parameters))
        inverse = linalg.cho_solve((factor, True), identity)
        weights = inverse @ self.targets
        slopes = [
            signal,
            v * (1 - w) * edges * self._edges / a,
            v * w * paths * self._paths / b,
            noise * identity,
            v * w * (1 - w) * (paths - edges),
        ]
        outer = np.outer(weights, weights) - inverse
        away = (parameters - self.START) / self.SPREAD
        loss = 0.5 * self.targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * (away**2).sum()
        return loss, away / self.SPREAD - 0.5 * np.array([np.vdot(outer, slope) for slope in slopes])

    def posterior(self, near):
        """Mean (in units of the target), variance (of the standardised target), and solved cross-covariances [known,
        networks], of networks at given distances [known, networks] from the known ones."""
        cross = self.kernel(near)
        solved = linalg.solve_triangular(self.factor, cross, lower=True, check_finite=False)
        variance = np.exp(self.parameters[0]) - np.einsum("ij,ij->j", solved, solved)
        return self.mean + self.scale * (self.weights @ cross), np.maximum(variance, 1e-12), solved


def below(level, mean, deviation):
    """Expectation of max(0, level - y) for normal y."""
    z = (level - mean) / deviation
    return deviation * (z * special.ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))


def hypervolume_improvement(best, reference, mean, deviation):
    """Expected gain of hypervolume [networks] over a front sorted by the first objective, exact for independent
    normal objectives: the sum over strips between front points of expected width times expected height."""
    edges = np.append(best[:, 0], reference[0])
    heights = np.append(reference[1], best[:, 1])
    widths = np.diff(below(edges[:, None], mean[:, 0], deviation[:, 0]), axis=0, prepend=0)
    return (widths * below(heights[:, None], mean[:, 1], deviation[:, 1])).sum(axis=0)


class Batch:
    """Chooses networks one by one; each is believed to turn out as predicted."""

    def __init__(self, models, values):
        self.models = models
        self.values = values
        if values.shape[1] == 2:
            best = values[figures.front(values)]
            ideal, nadir = best.min(axis=0), best.max(axis=0)
            self.reference = ideal + figures.REFERENCE * np.maximum(nadir - ideal, 1e-9)

    def score(self, posteriors):
        """Expected improvement of candidates over what is known or believed. Noise counts as deviation: a table answers
        the same each time, so a network keeps a lucky measurement."""
        mean = np.stack([p[0] for p in posteriors], axis=1)
        deviation = np.stack([m.scale * np.sqrt(p[1] + m.noise) for m, p in zip(self.models, posteriors)], axis=1)
        if self.values.shape[1] == 1:
            return below(self.values.min(), mean[:, 0], deviation[:, 0])
        inside = self.values[(self.values < self.reference).all(axis=1)]
        best = inside[figures.front(inside)] if len(inside) else self.reference[None, :]
        return hypervolume_improvement(best, self.reference, mean, deviation)

    def choose(self, networks, near, count):
        """Networks to evaluate next, of those given with their distances [known, networks]."""
        posteriors = [model.posterior(near) for model in self.models]
        score = self.score(posteriors)
        kept = np.argsort(-score)[:CANDIDATES]
        networks, score = networks[kept], score[kept]
        posteriors = [(mean[kept], variance[kept], solved[:, kept]) for mean, variance, solved in posteriors]
        chosen = []
        while True:
            pick = int(np.argmax(score))
            chosen.append(networks[pick])
            if len(chosen) == count:
                return chosen
            self.values = np.vstack([self.values, [mean[pick] for mean, _, _ in posteriors]])
            to_pick = distances(networks[[pick]], networks)[0]
            posteriors = [self._believe(m, to_pick, pick, *p) for m, p in zip(self.models, posteriors)]
            score = self.score(posteriors)
            score[np.isin(networks, chosen)] = -1

    @staticmethod
    def _believe(model, to_pick, pick, mean, variance, solved):
        """Posterior given one more network whose value is its mean."""
        cross = model.kernel(to_pick) - solved[:, pick] @ solved
        row = cross / np.sqrt(variance[pick] + model.noise)
        return mean, np.maximum(variance - row**2, 1e-12), np.vstack([solved, row])


def modelled(values):
    """Objectives as the models see them: the error as a logarithm, and very large ones made smaller, for a failed
    network (90% error) must not rule the fit. Not below the upper quartile, nor (with two objectives) where
    hypervolume could still be gained."""
    error = np.log(values[:, 0])
    ceiling = np.quantile(error, CEILING)
    if values.shape[1] == 2:
        best = error[figures.front(values)]
        ceiling = max(ceiling, best.min() + 1.5 * (best.max() - best.min()))
    return np.column_stack([np.minimum(error, ceiling), values[:, 1:]])


def search(problem, seed):
    everything = np.arange(nb201.NETWORKS)
    batch = np.random.default_rng(seed).choice(nb201.NETWORKS, FIRST, replace=False)
    near = np.empty((0, nb201.NETWORKS), dtype=np.uint16)
    parameters = [None] * problem.objectives
    while True:
        for network in batch:
            problem.evaluate(network)
        near = np.vstack([near, distances(batch, everything)])
        known, values = problem.evaluated()
        values = modelled(values)
        models = [Regression(near[:, known], t, start) for t, start in zip(values.T, parameters)]
        parameters = [model.parameters for model in models]
        unknown = np.setdiff1d(everything, known)
        batch = np.array(Batch(models, values).choose(unknown, near[:, unknown], BATCH))
