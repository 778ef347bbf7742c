#!/usr/bin/env python3
"""Study: which way of sharing weights ranks the 36 poolings of a small ResNet best?

  poolings.py grid OUT --data CIFAR10                  writes job files: each arm with each learning rate, a spare seed
  poolings.py rates OUT/*.db --out rates.json          each arm's best rate, by validation loss over all 36 networks
  poolings.py jobs OUT --data CIFAR10 --rates rates.json   writes the job files
  poolings.py table OUT/*.db --out docs/studies        reads databases and CSV files: table, plot

The job files are run by `mosaic rank JOB.toml --db OUT/ARM.db --only scores` (arms) and `--only truth`
(networks trained alone, a job a seed), in any order, on any machine with a GPU, interrupted at will.
Only the standard library is needed (a plot wants matplotlib and is left out without it).
"""

import argparse
import csv
import itertools
import json
import os
import random
import sqlite3
import sys

from ranking import bootstrap, interval, plot_taus, regret, tau_b, top_half

SPACE = '[space]\nname = "resnet-pooling"\nlayers = 10\npoolings = 2\nwidth = 8\n'


def random_split(parts):
    """Parts of equal size of the 36 placements, the same for all supernets of an arm."""
    options = list(range(36))
    random.Random(5).shuffle(options)
    return "poolings:" + "|".join(",".join(map(str, sorted(options[i::parts]))) for i in range(parts))


# name: the [supernet] keys that make the arm, and its share of the epochs. A step of the balanced
# mixture passes two batches, one of them for validation: it has half of the steps. Growth and
# gradient matching take the images that they spend on choosing off their own steps.
ARMS = {
    "one-shot": ('router = "plain"', 1),
    "growth-1.5": ('router = "grown"\nbudget = 1.5', 1),
    "random-growth-1.5": (
        'router = "grown"\nbudget = 1.5\ngrow_slots = "random"\ngrow_questions = "random"', 1),
    "layer-wise-1.5": ('router = "layer-wise"\nexperts = 2\nmixed_share = 0.5', 1),
    "layer-wise-m2": ('router = "layer-wise"\nexperts = 2', 1),
    "balanced-m4": ('router = "balanced"\nexperts = 4', 0.5),
    "gradient-split-2": (
        'router = "partition"\nsplit = "gradient"\nsplit_at = [0.15]\nsplit_repeats = 50', 1),
    "random-split-2": ('router = "partition"\nsplit = "random"\nsplit_at = [0.15]', 1),
    "random-split-4": (f'router = "partition"\nsplit = "{random_split(4)}"', 1),
    "neuron-wise-m2": ('router = "neuron-wise"\nexperts = 2', 1),
    "growth-2": ('router = "grown"\nbudget = 2', 1),
    "balanced-m2": ('router = "balanced"\nexperts = 2', 0.5),
    "layer-wise-m4": ('router = "layer-wise"\nexperts = 4', 1),
    "exhaustive-split": ('router = "partition"\nsplit = "exhaustive"\nsplit_at = [0.15]', 1),
}

# Whole splits once more, with as many steps for each part as one-shot has in all.
EQUAL_STEPS = {"gradient-split-2": 1 / (0.15 + 0.85 / 2), "random-split-2": 1 / (0.15 + 0.85 / 2), "random-split-4": 4}
ARMS |= {name + "-equal-steps": (ARMS[name][0], share) for name, share in EQUAL_STEPS.items()}


# Learning rates that each arm may choose from, and the seed that it chooses with.
GRID = (0.05, 0.1, 0.2)
SPARE_SEED = 101


def job(name, seed, data, supernet, truth_seeds, epochs, supernets, rate=0.1):
    return f"""[job]
name = "{name}"
seed = {seed}
device = "cuda"

{SPACE}
[task]
name = "cifar10"
path = "{data}"
validation = 0.5

[supernet]
{supernet}
epochs = {epochs}
batch_size = 128
learning_rate = {rate}
weight_decay = 5e-4
clip = 0
autotune = true

[rank]
supernets = {supernets}
together = 36
calibration = 2048

[rank.truth]
seeds = {truth_seeds}
epochs = 60
batch_size = 128
learning_rate = 0.1
weight_decay = 5e-4
clip = 0
autotune = true
"""


def write_grid(out, data, epochs):
    os.makedirs(out, exist_ok=True)
    for name, (supernet, share) in ARMS.items():
        for rate in GRID:
            with open(f"{out}/{name}@{rate}.toml", "w") as f:
                f.write(job(f"{name}@{rate}", SPARE_SEED, data, supernet, 3, round(epochs * share), 1, rate))


def choose_rates(paths, out):
    """The rate of the least mean inherited cross-entropy on validation images; arms that miss a rate are left out."""
    _, arms, _ = read(paths)
    losses = {}
    for name, by_metric in arms.items():
        arm, _, rate = name.partition("@")
        if rate and len(by_metric.get("loss", {}).get(SPARE_SEED, {})) == 36:
            losses.setdefault(arm, {})[float(rate)] = sum(by_metric["loss"][SPARE_SEED].values()) / 36
    chosen = {}
    for arm, by_rate in losses.items():
        if len(by_rate) < len(GRID):
            continue
        chosen[arm] = min(by_rate, key=by_rate.get)
        print(f"| {arm} | " + " | ".join(f"{by_rate[r]:.4f}" for r in GRID) + f" | {chosen[arm]} |")
    with open(out, "w") as f:
        json.dump(chosen, f, indent=1)


def write_jobs(out, data, arms, epochs, seeds, rates):
    os.makedirs(out, exist_ok=True)
    for seed in (1, 2, 3):
        with open(f"{out}/truth{seed}.toml", "w") as f:
            f.write(job(f"truth{seed}", seed, data, 'router = "plain"', 1, 1, 1))
    for name, (supernet, share) in arms.items():
        with open(f"{out}/{name}.toml", "w") as f:
            f.write(job(name, 1, data, supernet, 3, round(epochs * share), seeds, rates.get(name, 0.1)))


def read_csv(path, truth, arms):
    """Accuracies of networks alone (arch,seed,test_accuracy), or scores as bench/results keeps them."""
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            seed, arch = int(row["seed"]), row["arch"]
            if "test_accuracy" in row:
                truth.setdefault(arch, {})[seed] = float(row["test_accuracy"])
                continue
            for metric in ("accuracy", "loss"):
                of_seed = arms.setdefault(row["arm"], {}).setdefault(metric, {}).setdefault(seed, {})
                of_seed[arch] = float(row["inherited_" + metric])


def read(paths):
    """truth: arch -> {seed: accuracy}; arms: name -> metric -> seed -> arch -> value; cost: name -> text."""
    truth, arms, speed = {}, {}, {}
    for path in paths:
        if path.endswith(".csv"):
            read_csv(path, truth, arms)
            continue
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        rows = db.execute(
            "SELECT j.name, a.arch, m.metric, m.value, m.seed FROM measurements m JOIN jobs j ON j.id = m.job "
            "JOIN architectures a ON a.id = m.architecture WHERE m.status = 'ok' ORDER BY m.id"
        )
        for name, arch, metric, value, seed in rows:
            if metric == "standalone_accuracy":
                truth.setdefault(arch, {})[int(seed)] = value
            elif metric in ("accuracy", "loss"):
                arms.setdefault(name, {}).setdefault(metric, {}).setdefault(int(seed), {})[arch] = value
        for name, rate in db.execute(
            "SELECT j.name, avg(t.images_per_second) FROM training t JOIN jobs j ON j.id = t.job "
            "WHERE t.epoch > 2 GROUP BY j.name"
        ):
            speed[name] = rate
    return truth, arms, speed


def table(paths, out, flops):
    truth_by_seed, arms, speed = read(paths)
    archs = sorted(truth_by_seed)
    if len(archs) != 36:
        sys.exit(f"the databases hold the truth of {len(archs)} of 36 networks")
    seeds_of_truth = sorted({s for v in truth_by_seed.values() for s in v})
    truth = [sum(truth_by_seed[a].values()) / len(truth_by_seed[a]) for a in archs]
    lines = [
        "| score | arm | supernets | tau (95% over seeds) | 95% over networks | tau, upper half | regret, points "
        "| tau - FLOPs' | tau - one-shot's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    flops_score = [flops[a] for a in archs]
    flops_tau = tau_b(truth, flops_score)
    low, high = bootstrap(truth, [flops_score])
    lines.append(
        f"| FLOPs | - | - | {flops_tau:.3f} | [{low:.2f}, {high:.2f}] | {top_half(truth, flops_score):.2f} "
        f"| {regret(truth, flops_score):.2f} | | |"
    )
    if len(seeds_of_truth) > 1:
        pairs = []
        for s, t in itertools.combinations(seeds_of_truth, 2):
            pairs.append(tau_b([truth_by_seed[a][s] for a in archs], [truth_by_seed[a][t] for a in archs]))
        lines.append(
            f"| alone, 60 epochs, one seed against another | - | - | {sum(pairs) / len(pairs):.3f} | | | | | |"
        )
    results = {}
    for metric, sign in (("accuracy", 1), ("loss", -1)):
        taus = {}
        for name in arms:
            by_seed = arms[name].get(metric, {})
            seeds = [s for s in sorted(by_seed) if len(by_seed[s]) == 36]
            if not seeds:
                continue
            scores = [[sign * by_seed[s][a] for a in archs] for s in seeds]
            taus[name] = dict(zip(seeds, (tau_b(truth, s) for s in scores)))
            mean, half = interval(list(taus[name].values()))
            low, high = bootstrap(truth, scores)
            upper = sum(top_half(truth, s) for s in scores) / len(scores)
            lost, lost_half = interval([regret(truth, s) for s in scores])
            against = interval([t - flops_tau for t in taus[name].values()])
            other = taus.get("one-shot", {})
            common = [s for s in seeds if s in other]
            paired = "" if name == "one-shot" or not common else "{:+.3f} ± {:.3f}".format(
                *interval([taus[name][s] - other[s] for s in common])
            )
            lines.append(
                f"| inherited {metric} | {name} | {len(seeds)} | {mean:.3f} ± {half:.3f} | [{low:.2f}, {high:.2f}] "
                f"| {upper:.2f} | {lost:.2f} ± {lost_half:.2f} | {against[0]:+.3f} ± {against[1]:.3f} | {paired} |"
            )
            results.setdefault(name, {})[metric] = {
                "tau": mean,
                "half": half,
                "scores": [sum(column) / len(column) for column in zip(*scores)],
            }
    text = "\n".join(lines)
    print(text)
    print("images/s, summed over supernets:", {k: round(v) for k, v in speed.items()})
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/poolings.json", "w") as f:
        json.dump({"archs": archs, "truth": truth, "truth_by_seed": truth_by_seed, "arms": results,
                   "images_per_second": speed}, f, indent=1)
    with open(f"{out}/poolings-table.md", "w") as f:
        f.write(text + "\n")
    plotted = {
        name: [(results[name][metric]["tau"], results[name][metric]["half"]) for metric in ("accuracy", "loss")]
        for name in results if "accuracy" in results[name]
    }
    plot_taus(plotted, ("inherited accuracy", "inherited cross-entropy"), {"FLOPs": flops_tau}, "networks trained alone",
              f"{out}/poolings.svg")


def flops_of_poolings(width=8, layers=10, side=32, classes=10):
    """Multiply-accumulates by placement, as spaces/resnet_pooling.cpp builds it."""
    channels = lambda l: width * (2 if l * 10 >= 4 * layers else 1) * (2 if l * 10 >= 7 * layers else 1)
    result = {}
    for first, second in itertools.combinations(range(1, layers), 2):
        area = side * side
        total = 3 * channels(0) * 9 * area
        for l in range(1, layers):
            if l in (first, second):
                area //= 4
            a, b = channels(l - 1), channels(l)
            total += (a * b * 9 + b * b * 9 + (a * b if a != b else 0)) * area
        result[f"{first}-{second - first}-{layers - second}"] = total + channels(layers - 1) * classes
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="what", required=True)
    jobs = sub.add_parser("jobs")
    jobs.add_argument("out")
    jobs.add_argument("--data", required=True, help="folder of CIFAR-10")
    jobs.add_argument("--epochs", type=int, default=100)
    jobs.add_argument("--seeds", type=int, default=8)
    jobs.add_argument("--rates", help="file of `rates`; arms that it lacks train at 0.1")
    grid = sub.add_parser("grid")
    grid.add_argument("out")
    grid.add_argument("--data", required=True, help="folder of CIFAR-10")
    grid.add_argument("--epochs", type=int, default=100)
    rates = sub.add_parser("rates")
    rates.add_argument("db", nargs="+")
    rates.add_argument("--out", required=True)
    tables = sub.add_parser("table")
    tables.add_argument("db", nargs="+", help="databases, or CSV files of bench/results")
    tables.add_argument("--out", default="docs/studies")
    options = parser.parse_args()
    if options.what == "jobs":
        rates = {}
        if options.rates:
            with open(options.rates) as f:
                rates = json.load(f)
        write_jobs(options.out, options.data, ARMS, options.epochs, options.seeds, rates)
    elif options.what == "grid":
        write_grid(options.out, options.data, options.epochs)
    elif options.what == "rates":
        choose_rates(options.db, options.out)
    else:
        table(options.db, options.out, flops_of_poolings())


if __name__ == "__main__":
    main()
