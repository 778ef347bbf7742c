#!/usr/bin/env python3
"""Study: which way of sharing weights ranks the 36 poolings of a small ResNet best?

  poolings.py grid OUT --data CIFAR10                  writes job files: each arm with each learning rate, a spare seed
  poolings.py rates OUT/*.db --out rates.json          each arm's best rate, by validation loss over all 36 networks
  poolings.py jobs OUT --data CIFAR10 --rates rates.json   writes the job files
  poolings.py table OUT/*.db --out docs/studies        reads databases and CSV files: table, plot
  poolings.py scores OUT/*.db --out SCORES.csv         what finished jobs recorded, a row a seed and network

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
import sys

from ranking import (GRID, SPARE_SEED, agreement, arm_of, at_best_rates, bootstrap, choose_rates, in_order, interval, label_of,
                     mean_rank, plot_taus, read_rates, regret, rows, tau_b, text_of, top)

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
    "one-shot": ('sharing = "plain"', 1),
    "growth-1.5": ('sharing = "grown"\nbudget = 1.5', 1),
    "random-growth-1.5": (
        'sharing = "grown"\nbudget = 1.5\ngrow_slots = "random"\ngrow_questions = "random"', 1),
    "layer-wise-1.5": ('sharing = "layer-wise"\ncopies = 2\nmixed_share = 0.5', 1),
    "layer-wise-m2": ('sharing = "layer-wise"\ncopies = 2', 1),
    "balanced-m4": ('sharing = "balanced"\ncopies = 4', 0.5),
    "gradient-split-2": (
        'sharing = "partition"\nsplit = "gradient"\nsplit_at = [0.15]\nsplit_repeats = 50', 1),
    "random-split-2": ('sharing = "partition"\nsplit = "random"\nsplit_at = [0.15]', 1),
    "random-split-4": (f'sharing = "partition"\nsplit = "{random_split(4)}"', 1),
    "neuron-wise-m2": ('sharing = "neuron-wise"\ncopies = 2', 1),
    "growth-2": ('sharing = "grown"\nbudget = 2', 1),
    "random-growth-2": ('sharing = "grown"\nbudget = 2\ngrow_slots = "random"\ngrow_questions = "random"', 1),
    "balanced-m2": ('sharing = "balanced"\ncopies = 2', 0.5),
    "layer-wise-m4": ('sharing = "layer-wise"\ncopies = 4', 1),
    "exhaustive-split": ('sharing = "partition"\nsplit = "exhaustive"\nsplit_at = [0.15]', 1),
}

# Whole splits once more, with as many steps for each part as one-shot has in all.
EQUAL_STEPS = {"gradient-split-2": 1 / (0.15 + 0.85 / 2), "random-split-2": 1 / (0.15 + 0.85 / 2), "random-split-4": 4}
ARMS |= {name + "-equal-steps": (ARMS[name][0], share) for name, share in EQUAL_STEPS.items()}


def job(name, seed, data, supernet, truth_seeds, epochs, supernets, rate=0.1, precision="float32"):
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
precision = "{precision}"

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
        if name.endswith("-equal-steps"):
            continue  # its rate is that of the arm
        for rate in GRID:
            with open(f"{out}/{name}@{rate}.toml", "w") as f:
                f.write(job(f"{name}@{rate}", SPARE_SEED, data, supernet, 3, round(epochs * share), 1, rate))


def losses_of_grid(paths):
    """arm -> rate -> mean inherited cross-entropy on validation images over the 36 networks."""
    _, arms, _ = read(paths)
    losses = {}
    for (arm, rate), by_metric in arms.items():
        if len(by_metric.get("loss", {}).get(SPARE_SEED, {})) == 36:
            losses.setdefault(arm, {})[rate] = sum(by_metric["loss"][SPARE_SEED].values()) / 36
    return losses


def write_jobs(out, data, epochs, seeds, rates, precision):
    os.makedirs(out, exist_ok=True)
    for seed in (1, 2, 3):
        with open(f"{out}/truth{seed}.toml", "w") as f:
            f.write(job(f"truth{seed}", seed, data, 'sharing = "plain"', 1, 1, 1))
    for name, rate in read_rates(rates, ARMS).items():
        supernet, share = ARMS[name]
        with open(f"{out}/{name}.toml", "w") as f:
            f.write(job(name, 1, data, supernet, 3, round(epochs * share), seeds, rate, precision))


def read_csv(path, truth, arms):
    """Accuracies of networks alone (arch,seed,test_accuracy), or scores as bench/results keeps them."""
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            seed, arch = int(row["seed"]), row["arch"]
            if "test_accuracy" in row:
                truth.setdefault(arch, {})[seed] = float(row["test_accuracy"])
                continue
            for metric in ("accuracy", "loss"):
                of_seed = arms.setdefault((row["arm"], float(row["rate"])), {}).setdefault(metric, {}).setdefault(seed, {})
                of_seed[arch] = float(row["inherited_" + metric])


def read(paths):
    """truth: arch -> {seed: accuracy}; arms: (name, rate) -> metric -> seed -> arch -> value; speed: (name, rate) -> images/s."""
    truth, arms = {}, {}
    databases = [path for path in paths if not path.endswith(".csv")]
    for path in paths:
        if path not in databases:
            read_csv(path, truth, arms)
    for name, config, arch, metric, value, seed in rows(
        databases, "SELECT j.name, j.config, a.arch, m.metric, m.value, m.seed FROM measurements m JOIN jobs j ON j.id = m.job "
        "JOIN architectures a ON a.id = m.architecture WHERE m.status = 'ok' ORDER BY m.id"
    ):
        if metric == "standalone_accuracy":
            truth.setdefault(arch, {})[int(seed)] = value
        elif metric in ("accuracy", "loss"):
            arms.setdefault(arm_of(name, config), {}).setdefault(metric, {}).setdefault(int(seed), {})[arch] = value
    speed = {arm_of(name, config): value for name, config, value in rows(
        databases, "SELECT j.name, j.config, avg(t.images_per_second) FROM training t JOIN jobs j ON j.id = t.job "
        "WHERE t.epoch > 2 GROUP BY j.name")}
    return truth, arms, speed


def write_scores(paths, out):
    """Scores of finished arms, a row a seed and network, as bench/results keeps them."""
    _, arms, _ = read(paths)
    with open(out, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["arm", "rate", "seed", "arch", "inherited_accuracy", "inherited_loss"])
        for (arm, rate), by_metric in in_order(arms, ARMS):
            for seed, of_arch in sorted(by_metric["loss"].items()):
                if seed != SPARE_SEED and len(of_arch) == 36:
                    for arch in sorted(of_arch):
                        writer.writerow([arm, rate, seed, arch, f"{by_metric['accuracy'][seed][arch]:.3f}", f"{of_arch[arch]:.6f}"])


# Differences of tau shown besides those from one-shot and FLOPs.
PAIRS = [
    ("growth-1.5", "random-growth-1.5"), ("growth-1.5", "layer-wise-1.5"), ("growth-1.5", "layer-wise-m2"),
    ("growth-2", "layer-wise-m2"), ("growth-2", "growth-1.5"), ("growth-2", "random-growth-2"), ("balanced-m2", "layer-wise-m2"),
    ("balanced-m4", "layer-wise-m4"), ("gradient-split-2", "random-split-2"), ("gradient-split-2", "exhaustive-split"),
    ("gradient-split-2", "layer-wise-m2"), ("gradient-split-2", "growth-1.5"),
    ("gradient-split-2-equal-steps", "random-split-2-equal-steps"),
]


# What networks are ranked by; "both": mean of the ranks.
LABELS = {"accuracy": "inherited accuracy", "loss": "inherited cross-entropy", "both": "cross-entropy and FLOPs"}


def read_published(path):
    with open(path, newline="") as f:
        return {
            "-".join(row[k] for k in ("blocks_before_pool1", "blocks_between", "blocks_after_pool2")):
            float(row["standalone_accuracy_mean"]) for row in csv.DictReader(f)
        }


def table(paths, out, flops, published):
    truth_by_seed, arms, speed = read(paths)
    archs = sorted(truth_by_seed)
    if len(archs) != 36:
        sys.exit(f"the databases hold the truth of {len(archs)} of 36 networks")
    truth_seeds = sorted({s for v in truth_by_seed.values() for s in v})
    own = [sum(truth_by_seed[a].values()) / len(truth_by_seed[a]) for a in archs]
    truths = {f"own truth ({len(truth_seeds)} seeds)": own}
    if published:
        of_arch = read_published(published)
        truths["published truth"] = [of_arch[a] for a in archs]
    for s, t in itertools.combinations(truth_seeds, 2):
        print(f"truth, seed {s} with seed {t}: tau {tau_b(*([truth_by_seed[a][x] for a in archs] for x in (s, t))):.3f}")
    for one, other in itertools.combinations(truths, 2):
        print(f"{one} with {other}: tau {tau_b(truths[one], truths[other]):.3f}")
    flops_score = [flops[a] for a in archs]
    flops_taus = {t: tau_b(truth, flops_score) for t, truth in truths.items()}
    head = ["score", "sharing", "rate", "seeds"]
    for name in truths:
        head += [name + ": tau", "95% over networks", "upper half", "tau - one-shot's", "tau - FLOPs'", "regret, points"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    cells = ["FLOPs", "", "", ""]
    for t, truth in truths.items():
        low, high = bootstrap(truth, [flops_score])
        cells += [f"{flops_taus[t]:.3f}", f"{low:.2f} to {high:.2f}", f"{top(truth, flops_score, 2):.3f}", "", "",
                  f"{regret(truth, flops_score):.2f}"]
    lines.append("| " + " | ".join(cells) + " |")
    pair_lines = ["| difference of tau | rate | by | " + " | ".join(truths) + " |", "|---" * (3 + len(truths)) + "|"]
    results = {}
    for metric, label in LABELS.items():
        scores = {}  # (arm, rate) -> seed -> a score a network, the greater the better
        for arm, by_metric in in_order(arms, ARMS):
            by_seed = by_metric.get("accuracy" if metric == "accuracy" else "loss", {})
            sign = 1 if metric == "accuracy" else -1
            whole = {s: [sign * by_seed[s][a] for a in archs] for s in sorted(by_seed) if s != SPARE_SEED and len(by_seed[s]) == 36}
            if metric == "both":
                whole = {s: mean_rank(v, flops_score) for s, v in whole.items()}
            if whole:
                scores[arm] = whole
        taus = {arm: {t: {s: tau_b(truths[t], v) for s, v in by_seed.items()} for t in truths} for arm, by_seed in scores.items()}

        def difference(arm, other, truth):
            common = [s for s in taus[arm][truth] if s in taus.get(other, {}).get(truth, {})]
            return interval([taus[arm][truth][s] - taus[other][truth][s] for s in common]) if common else None

        for (name, rate), by_seed in scores.items():
            arm = (name, rate)
            cells = [label, name, f"{rate:g}", str(len(by_seed))]
            for t, truth in truths.items():
                low, high = bootstrap(truth, list(by_seed.values()))
                base = None if name == "one-shot" else difference(arm, ("one-shot", rate), t)
                cells += [
                    text_of(interval(list(taus[arm][t].values()))), f"{low:.2f} to {high:.2f}",
                    f"{sum(top(truth, s, 2) for s in by_seed.values()) / len(by_seed):.3f}",
                    text_of(base, difference=True) if base else "",
                    text_of(interval([v - flops_taus[t] for v in taus[arm][t].values()]), difference=True),
                    text_of(interval([regret(truth, s) for s in by_seed.values()]), 2),
                ]
            lines.append("| " + " | ".join(cells) + " |")
            results.setdefault(arm, {})[metric] = {
                "tau": interval(list(taus[arm][next(iter(truths))].values())),
                "between_seeds": agreement(by_seed.values()),
                "scores": [sum(column) / len(column) for column in zip(*by_seed.values())],
            }
        rates = sorted({rate for _, rate in taus})
        pairs = [((name, r), (other, r), f"{name} - {other}", f"{r:g}") for name, other in PAIRS for r in rates]
        pairs += [((name, r), (name, rates[0]), name, f"{r:g} - {rates[0]:g}") for name, r in taus if r != rates[0]]
        for arm, other, what, rate in pairs:
            if arm in taus and other in taus:
                pair_lines.append(f"| {what} | {rate} | {label} | " +
                                  " | ".join(text_of(difference(arm, other, t), difference=True) for t in truths) + " |")
    text = "\n".join(lines) + "\n\n" + "\n".join(pair_lines)
    print(text)
    losses = {}
    for arm, of_metric in results.items():
        of_seeds = interval([sum(of_arch.values()) / 36 for seed, of_arch in arms[arm]["loss"].items() if seed != SPARE_SEED])
        losses[arm] = of_seeds[0]
        print(f"{label_of(arm)}: validation loss {text_of(of_seeds)}, seeds agree by a tau of "
              f"{of_metric['loss']['between_seeds'] or 0:.2f} (cross-entropy), "
              f"{speed.get(arm, 0):.0f} images/s, summed over supernets")
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/poolings.json", "w") as f:
        json.dump({"archs": archs, "truth": own, "truth_by_seed": truth_by_seed,
                   "arms": {label_of(arm): r for arm, r in results.items()},
                   "images_per_second": {label_of(arm): v for arm, v in speed.items() if arm in results}}, f, indent=1)
    with open(f"{out}/poolings-table.md", "w") as f:
        f.write(text + "\n")
    plotted = {label_of(arm): [results[arm][metric]["tau"] for metric in LABELS] for arm in at_best_rates(losses)
               if len(results[arm]) == len(LABELS)}
    plot_taus(plotted, list(LABELS.values()), {"FLOPs": next(iter(flops_taus.values()))},
              "networks trained alone", f"{out}/poolings.svg")


def flops_of_poolings(width=8, layers=10, side=32, classes=10):
    """Multiply-accumulates by placement, as spaces/images/resnet_pooling.cpp builds it."""
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
    jobs.add_argument("--rates", help="file of `rates`; arms that it lacks train at 0.2")
    jobs.add_argument("--precision", default="float32", help="of inherited scores; tf32 is several times as fast")
    grid = sub.add_parser("grid")
    grid.add_argument("out")
    grid.add_argument("--data", required=True, help="folder of CIFAR-10")
    grid.add_argument("--epochs", type=int, default=100)
    rates = sub.add_parser("rates")
    rates.add_argument("db", nargs="+")
    rates.add_argument("--out", required=True)
    scores = sub.add_parser("scores")
    scores.add_argument("db", nargs="+", help="databases, or CSV files to put together with them")
    scores.add_argument("--out", required=True)
    tables = sub.add_parser("table")
    tables.add_argument("db", nargs="+", help="databases, or CSV files of bench/results")
    tables.add_argument("--published", help="CSV of published accuracies, a second truth")
    tables.add_argument("--out", default="docs/studies")
    options = parser.parse_args()
    if options.what == "jobs":
        write_jobs(options.out, options.data, options.epochs, options.seeds, options.rates, options.precision)
    elif options.what == "grid":
        write_grid(options.out, options.data, options.epochs)
    elif options.what == "rates":
        choose_rates(losses_of_grid(options.db), options.out)
    elif options.what == "scores":
        write_scores(options.db, options.out)
    else:
        table(options.db, options.out, flops_of_poolings(), options.published)


if __name__ == "__main__":
    main()
