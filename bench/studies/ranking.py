"""What the studies share: statistics of rankings, and the plot of taus. Only the standard library is needed."""

import itertools
import json
import math
import random
import sqlite3
import tomllib

# Learning rates that each arm may choose from, and the seed that it chooses with.
GRID = (0.1, 0.2, 0.4)
SPARE_SEED = 101

# Two-sided 95% quantiles of Student's t by degrees of freedom.
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def rows(paths, sql, parameters=()):
    """Rows of a query, from each database in turn."""
    for path in paths:
        yield from sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute(sql, parameters)


def arm_of(name, config):
    """Arm and learning rate of a job: those of a grid are called arm@rate."""
    return name.partition("@")[0], tomllib.loads(config)["supernet"]["learning_rate"]


def in_order(by_arm, names):
    """Items of a dict by (arm, learning rate): in the order of `names`, then by rate."""
    order = list(names)
    return sorted(by_arm.items(), key=lambda item: (order.index(item[0][0]) if item[0][0] in order else len(order), *item[0]))


def label_of(arm):
    return f"{arm[0]}, rate {arm[1]:g}"


def at_best_rates(losses):
    """The (arm, learning rate) of the least validation loss of each arm. losses: (arm, rate) -> loss."""
    best = {}
    for arm in sorted(losses, key=losses.get):
        best.setdefault(arm[0], arm)
    return list(best.values())


def tau_b(truth, score):
    concordant = untied_truth = untied_score = 0
    for i, j in itertools.combinations(range(len(truth)), 2):
        a = (truth[i] > truth[j]) - (truth[i] < truth[j])
        b = (score[i] > score[j]) - (score[i] < score[j])
        concordant += a * b
        untied_truth += a != 0
        untied_score += b != 0
    if not untied_truth or not untied_score:
        return 0.0
    return concordant / math.sqrt(untied_truth * untied_score)


def top(truth, score, parts):
    """tau among the best of `parts` equal parts by truth: 2 for the upper half."""
    best = sorted(range(len(truth)), key=lambda i: -truth[i])[: (len(truth) + parts - 1) // parts]
    return tau_b([truth[i] for i in best], [score[i] for i in best])


def agreement(scores):
    """Mean tau between the seeds of an arm; None for one seed."""
    taus = [tau_b(a, b) for a, b in itertools.combinations(scores, 2)]
    return sum(taus) / len(taus) if taus else None


def average_ranks(values):
    """Ranks from 1, the least first; ties are given their average rank."""
    return [sum(v < value for v in values) + (values.count(value) + 1) / 2 for value in values]


def mean_rank(a, b):
    """Two scores as one, for their ranks: the greater the better."""
    return [(x + y) / 2 for x, y in zip(average_ranks(a), average_ranks(b))]


def regret(truth, score):
    best = max(score)
    picked = [t for t, s in zip(truth, score) if s == best]
    return max(truth) - sum(picked) / len(picked)


def interval(values):
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, float("nan")
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return mean, T95[min(9, len(values) - 1)] * deviation / math.sqrt(len(values))


def text_of(value_and_half, digits=3, difference=False):
    """Mean ± half of the 95% interval; bold where a difference's interval excludes 0."""
    value, half = value_and_half
    text = f"{value:{'+' if difference else ''}.{digits}f}"
    if half == half:  # not NaN: more than one seed
        text += f" ± {half:.{digits}f}"
    return f"**{text}**" if difference and abs(value) > half else text


def bootstrap(truth, scores, draws=1000):
    """Interval of the mean tau over the choice of networks; no network forms a pair with itself."""
    generator = random.Random(1)
    n = len(truth)
    pairs = list(itertools.combinations(range(n), 2))
    sign = lambda x: (x > 0) - (x < 0)
    a = [sign(truth[i] - truth[j]) for i, j in pairs]
    b = [[sign(s[i] - s[j]) for i, j in pairs] for s in scores]
    taus = []
    for _ in range(draws):
        weight = [0] * n
        for _ in range(n):
            weight[generator.randrange(n)] += 1
        w = [weight[i] * weight[j] for i, j in pairs]
        own = []
        for of_seed in b:
            top = sum(x * y * z for x, y, z in zip(w, a, of_seed) if x)
            left = sum(x for x, y in zip(w, a) if y)
            right = sum(x for x, z in zip(w, of_seed) if z)
            own.append(top / math.sqrt(left * right) if left and right else 0.0)
        taus.append(sum(own) / len(own))
    taus.sort()
    return taus[int(0.025 * draws)], taus[int(0.975 * draws)]


def choose_rates(losses, out):
    """Writes the rate of the least validation loss for every arm that has tried all of GRID, and prints a table.
    losses: arm -> rate -> mean inherited cross-entropy of the spare seed."""
    chosen = {}
    for arm, by_rate in losses.items():
        if all(rate in by_rate for rate in GRID):
            chosen[arm] = min(GRID, key=by_rate.get)
        print(f"| {arm} | " + " | ".join(f"{by_rate[r]:.4f}" if r in by_rate else "-" for r in GRID) +
              f" | {chosen.get(arm, '-')} |")
    with open(out, "w") as f:
        json.dump(chosen, f, indent=1)


def read_rates(path, arms, otherwise=0.2):
    """The rate of each arm: what choose_rates wrote, for rows with equal steps that of their arm, or `otherwise`."""
    chosen = {}
    if path:
        with open(path) as f:
            chosen = json.load(f)
    return {arm: chosen.get(arm.removesuffix("-equal-steps"), otherwise) for arm in arms}


def plot_taus(arms, scores, baselines, truth, path):
    """Kendall's tau by arm, best by the second score on top. arms: name -> (mean, half of the 95% interval) of each of the
    `scores`; baselines: label -> tau, as lines. Left out, with a word, where matplotlib is not installed."""
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    names = sorted(arms, key=lambda name: arms[name][1][0])
    figure, axis = pyplot.subplots(figsize=(6.4, 0.9 + 0.32 * len(names)))
    for i, (score, shift, colour) in enumerate(zip(scores, (0.2, 0, -0.2), ("#1f5fa8", "#c8642b", "#2e8b57"))):
        axis.errorbar([arms[name][i][0] for name in names], [place + shift for place in range(len(names))],
                      xerr=[arms[name][i][1] for name in names], fmt="o", markersize=4, capsize=2, color=colour,
                      label=score)
    for (label, tau), style in zip(baselines.items(), ("--", ":")):
        axis.axvline(tau, color="#666666", linestyle=style, linewidth=1, label=label)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.5, len(names) - 0.5)
    axis.set_xlabel(f"Kendall's tau with {truth} (bars: 95% over seeds)")
    axis.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    matplotlib.rcParams["svg.hashsalt"] = "mosaic"  # the same figures give the same file
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
