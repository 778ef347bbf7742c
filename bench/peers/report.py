"""Tables and a plot from the runs that are there."""

import collections

import numpy as np

from peers import PEERS, figures, problem, runs

POINTS = [50, 100, 200]  # evaluations at which figures are reported


def collect(items, work, data, budget):
    """Curves {task: {arm: {seed: curve}}} of the runs that are there, and notes {arm: versions and seconds}."""
    tables = {name: task.values(data) for name, task in problem.tasks().items()}
    curves = collections.defaultdict(lambda: collections.defaultdict(dict))
    notes = collections.defaultdict(list)
    for item in items:
        run = runs.load(runs.path(work, *item), budget)
        if run is not None:
            curves[item.task][item.arm][item.seed] = figures.curve(tables[item.task], run["sequence"], budget)
            notes[item.arm].append((run["version"], run["seconds"], len(run["sequence"]) < budget))
    return curves, notes


def points(budget):
    return [p for p in POINTS if p <= budget]


def is_mosaic(arm):
    return arm not in PEERS


def at(curves, point, seeds=None):
    return np.array([curves[seed][point - 1] for seed in (seeds or sorted(curves))])


def cell(samples, digits):
    mean, error = figures.mean_and_error(samples)
    return f"{mean:.{digits}f} ± {error:.{digits}f}" if len(samples) > 1 else f"{mean:.{digits}f}"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(row) + " |" for row in rows), ""])


def single(curves, budget):
    """Mean best accuracy of the task with one objective."""
    head = ["search", "runs", *(f"after {p}" for p in points(budget))]
    rows = [[arm, str(len(found)), *(cell(at(found, p), 3) for p in points(budget))] for arm, found in curves.items()]
    return table(head, rows)


def devices(curves):
    return [name for name in curves if name != "accuracy"]


def complete(curves, arm):
    """Seeds that an arm has on every device, and whether there are any."""
    return sorted(set.intersection(*(set(curves[name].get(arm, {})) for name in devices(curves))))


def mean_curves(curves, arm):
    """{seed: curve averaged over the devices} of the seeds that all devices have."""
    return {seed: np.mean([curves[name][arm][seed] for name in devices(curves)], axis=0)
            for seed in complete(curves, arm)}


def two(curves, point):
    """Share of the true front's hypervolume after some evaluations, by device and on average."""
    names = devices(curves)
    arms = list(dict.fromkeys(arm for name in names for arm in curves[name]))
    rows = []
    for arm in arms:
        row = [arm, str(len(complete(curves, arm)))]
        row += [cell(at(curves[name][arm], point), 3) if curves[name].get(arm) else "" for name in names]
        averaged = mean_curves(curves, arm)
        rows.append([*row, cell(at(averaged, point), 4) if averaged else ""])
    return table(["search", "seeds", *names, "mean"], rows)


def ahead(curves, point):
    """Best arm of Mosaic (by the mean over the devices) minus the best peer of each device, seed by seed."""
    names = devices(curves)
    ours = {arm: at(mean_curves(curves, arm), point).mean() for name in names for arm in curves[name]
            if is_mosaic(arm) and complete(curves, arm)}
    if not ours:
        return ""
    arm = max(ours, key=ours.get)
    rows = []
    for name in names:
        peers = {peer: at(found, point).mean() for peer, found in curves[name].items() if not is_mosaic(peer)}
        if not peers:
            continue
        peer = max(peers, key=peers.get)
        seeds = sorted(set(curves[name][arm]) & set(curves[name][peer]))
        if len(seeds) < 2:
            continue
        mean, low, high = figures.paired_interval(at(curves[name][arm], point, seeds),
                                                  at(curves[name][peer], point, seeds))
        rows.append([name, peer, str(len(seeds)), f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"])
    return table(["device", "best peer", "seeds", f"{arm} minus best peer [95% interval]"], rows)


def effort(notes):
    rows = [[arm, ", ".join(sorted({v for v, _, _ in found})), f"{np.median([s for _, s, _ in found]):.1f}",
             str(sum(short for _, _, short in found))] for arm, found in notes.items()]
    return table(["search", "version", "CPU seconds a run", "runs that ended early"], rows)


HEADER = """# Search on the NAS-Bench-201 table

Made by `bench/search_table.py --data DATA --work WORK` at revision {revision}; budget {budget} evaluations. Objectives:
CIFAR-10 test accuracy after 200 epochs, and (with two) latency on a device. A mean is followed by its standard error
over seeds. An evaluation is a distinct network; a repeated proposal is answered from memory and free, for all alike.
Two objectives (error and latency) are scaled by the true front's ideal and nadir points, reference point (1.1, 1.1);
the figure is the hypervolume as a share of the true front's. "mean" averages over the devices, seed by seed.
"""


def markdown(found, budget, revision):
    """The whole report."""
    curves, notes = found
    parts = [HEADER.format(budget=budget, revision=revision)]
    if curves.get("accuracy"):
        parts += ["### One objective: mean best CIFAR-10 test accuracy (optimum 94.373)\n",
                  single(curves["accuracy"], budget)]
    if devices(curves):
        for point in points(budget):
            parts += [f"### Two objectives: hypervolume share after {point} evaluations\n", two(curves, point)]
        for point in points(budget):
            if difference := ahead(curves, point):
                parts += [f"### Mosaic against the best peer of each device after {point} evaluations\n", difference]
    parts += ["### Effort\n", effort(notes)]
    return "\n".join(parts)


def plot(found, file):
    """Mean best accuracy, and mean hypervolume share over the devices, against evaluations."""
    import matplotlib

    matplotlib.use("svg" if file.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    curves, _ = found
    panels = [("mean best accuracy, %", {arm: list(c.values()) for arm, c in curves.get("accuracy", {}).items()})]
    arms = list(dict.fromkeys(arm for name in devices(curves) for arm in curves[name]))
    panels.append(("share of the true front's hypervolume, mean of the devices",
                   {arm: list(c.values()) for arm in arms if (c := mean_curves(curves, arm))}))
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5))
    for axis, (label, arms) in zip(axes, panels):
        lows = []
        for arm, found_curves in arms.items():
            mean = np.mean(found_curves, axis=0)
            steps = np.arange(1, len(mean) + 1)
            axis.plot(steps[9:], mean[9:], label=arm, linewidth=2 if is_mosaic(arm) else 1,
                      linestyle="-" if is_mosaic(arm) else "--")
            lows.append(mean[min(29, len(mean) - 1)])
        if lows:
            axis.set_ylim(bottom=min(lows))
            axis.legend(fontsize=7, loc="lower right")
        axis.set_xlabel("evaluations")
        axis.set_title(label, fontsize=9)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
