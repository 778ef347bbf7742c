"""Figures from sequences of evaluated networks: best so far, share of the true front's hypervolume, intervals."""

import numpy as np

REFERENCE = 1.1  # in every objective, after scaling


def front(values):
    """Rows of a two-objective table (smaller is better) that none dominates, by the first objective."""
    order = np.lexsort((values[:, 1], values[:, 0]))
    rows = []
    for row in order:
        if not rows or values[row, 1] < values[rows[-1], 1]:
            rows.append(row)
    return np.array(rows)


def hypervolume(values, reference):
    """Area between points and a reference point, two objectives, smaller is better."""
    inside = values[(values < reference).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    best = inside[front(inside)]
    heights = np.append(reference[1], best[:-1, 1]) - best[:, 1]
    return float(((reference[0] - best[:, 0]) * heights).sum())


def scaled(values):
    """A table scaled so that its true front lies between (0, 0) and (1, 1)."""
    best = values[front(values)]
    ideal, nadir = best.min(axis=0), best.max(axis=0)
    return (values - ideal) / (nadir - ideal)


def curve(values, sequence, budget):
    """Figure after 1..budget evaluations: best accuracy in percent (one objective: an error), or hypervolume as a
    share of the true front's (two). A search that ended early keeps its last value."""
    if values.shape[1] == 1:
        so_far = 100 - np.minimum.accumulate(values[sequence, 0])
    else:
        table = scaled(values)
        reference = np.full(2, REFERENCE)
        whole = hypervolume(table, reference)
        so_far = np.empty(len(sequence))
        kept = np.empty((0, 2))
        for i, network in enumerate(sequence):
            kept = np.vstack([kept, table[network]])
            kept = kept[front(kept)]
            so_far[i] = hypervolume(kept, reference) / whole
    return np.append(so_far, np.full(budget - len(so_far), so_far[-1]))[:budget]


def mean_and_error(samples):
    """Mean, and its standard error over samples."""
    samples = np.asarray(samples)
    error = samples.std(ddof=1) / np.sqrt(len(samples)) if len(samples) > 1 else np.nan
    return samples.mean(), error


def paired_interval(ours, theirs):
    """Mean difference and its 95% interval by Student's t, seed by seed."""
    from scipy import stats

    mean, error = mean_and_error(np.asarray(ours) - np.asarray(theirs))
    width = stats.t.ppf(0.975, len(ours) - 1) * error
    return mean, mean - width, mean + width
