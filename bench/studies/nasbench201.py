#!/usr/bin/env python3
"""Study: which way of sharing weights ranks the cells of NAS-Bench-201 best?

  nasbench201.py grid OUT --data CIFAR10 --table nasbench201.csv.gz     each arm with each learning rate, a spare seed
  nasbench201.py rates OUT/*.db --out rates.json                        each arm's best rate, by validation loss
  nasbench201.py jobs OUT --data CIFAR10 --table nasbench201.csv.gz --rates rates.json     writes the job files
  nasbench201.py table OUT/*.db --out docs/studies                      reads finished jobs: table and plot
  nasbench201.py scores SCORES.csv --table nasbench201.csv.gz           the same of one arm, from scores in bench/results

Each job is run by `mosaic rank OUT/ARM.toml --db OUT/ARM.db`, in any order, interrupted at will; it prints the
table of the arm (1,000 random cells, and the 100 best apart) beside parameters, effective parameters and FLOPs.
The table needs the columns `arch` and `cifar10_test_200ep`. A plot wants matplotlib and is left out without it.
"""

import argparse
import csv
import gzip
import json
import os
import sys

from ranking import (GRID, SPARE_SEED, choose_rates, interval, mean_rank, plot_taus, read_rates, regret, rows, tau_b,
                     top_half)

# name: the [supernet] keys that make the arm
ARMS = {
    "plain": 'router = "plain"',
    "growth-1.5": 'router = "grown"\nbudget = 1.5',
    "random-growth-1.5": 'router = "grown"\nbudget = 1.5\ngrow_slots = "random"\ngrow_questions = "random"',
    "layer-wise-m2": 'router = "layer-wise"\nexperts = 2',
    "stratified": 'router = "plain"\nsampler = "stratified(by=relu)"',
    "gradient-split-4": 'router = "partition"\nsplit = "gradient"\nsplit_at = [0.15, 0.3]\nsplit_repeats = 50',
    "random-split-4": 'router = "partition"\nsplit = "random"\nsplit_at = [0.15, 0.3]',
    "pada": 'router = "plain"\nsampler = "importance"',
}


def job(name, supernet, options, seed, rate, seeds, networks, best):
    return f"""[job]
name = "{name}"
seed = {seed}
device = "{options.device}"

[space]
name = "nasbench201"
channels = {options.channels}
cells = {options.cells}

[task]
name = "cifar10"
path = "{options.data}"
validation = 0.5
limit = {options.limit}

[supernet]
{supernet}
epochs = {options.epochs}
batch_size = 128
learning_rate = {rate}
weight_decay = 5e-4
autotune = true

[rank]
networks = {networks}
supernets = {seeds}
images = {options.images}
calibration = {options.calibration}
precision = "tf32"

[rank.truth]
file = "{os.path.abspath(options.table)}"
column = "cifar10_test_200ep"
best = {best}
"""


def losses_of_grid(paths):
    """arm -> rate -> mean inherited cross-entropy on validation images over the networks of the grid."""
    losses = {}
    for name, loss in rows(
        paths, "SELECT j.name, avg(m.value) FROM measurements m JOIN jobs j ON j.id = m.job "
        "WHERE m.status = 'ok' AND m.metric = 'loss' AND m.seed = ? GROUP BY j.name", (SPARE_SEED,)
    ):
        arm, _, rate = name.partition("@")
        if rate:
            losses.setdefault(arm, {})[float(rate)] = loss
    return losses


def finished(paths):
    """What each finished job found, as `mosaic rank --json` prints it, by arm."""
    states = rows(paths, "SELECT j.name, s.state FROM states s JOIN jobs j ON j.id = s.job WHERE s.phase = 'rank'")
    return {name: json.loads(state) for name, state in states}


def score(result, name):
    return next((s for s in result["scores"] if s["name"] == name), None)


def row(label, name, result, base):
    """One line of the table: a score of an arm over its seeds, and the paired difference from another arm's."""
    per_seed = score(result, name)["per_seed"]
    seeds = len(per_seed["kendall"])
    cells = [label, name]
    for key, digits in (("kendall", 3), ("kendall_top_half", 3), ("kendall_top_tenth", 3), ("picked_truth", 2)):
        mean, half = interval(per_seed[key])
        cells.append(f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if seeds > 1 else ""))
    best = score(result["best"], name) if result.get("best") else None
    cells.append(f"{interval(best['per_seed']['kendall'])[0]:.3f}" if best else "")
    paired = ""
    if base is not None and base is not result and seeds > 1:
        other = score(base, name)["per_seed"]["kendall"]
        if len(other) == seeds:
            paired = "{:+.3f} ± {:.3f}".format(*interval([a - b for a, b in zip(per_seed["kendall"], other)]))
    return "| " + " | ".join(cells + [paired]) + " |"


def table(paths, out):
    results = finished(paths)
    if not results:
        sys.exit("none of these databases holds a finished job of `mosaic rank`")
    base = results.get("plain")
    lines = [
        "| sharing | score | tau | tau, upper half | tau, upper tenth | accuracy of the pick | tau among the 100 best "
        "| tau - plain's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    any_result = base or next(iter(results.values()))
    inherited = [s["name"] for s in any_result["scores"] if s["name"].startswith("inherited")]
    for s in any_result["scores"]:
        if s["name"] not in inherited:
            lines.append(row("", s["name"], any_result, None))
    for name in inherited:
        for arm in sorted(results, key=lambda a: list(ARMS).index(a) if a in ARMS else 99):
            lines.append(row(arm, name, results[arm], base))
    text = "\n".join(lines)
    print(text)
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/nasbench201-table.md", "w") as f:
        f.write(text + "\n")
    arms = {a: [interval(score(r, name)["per_seed"]["kendall"]) for name in inherited] for a, r in results.items()}
    baselines = {name: score(any_result, name)["per_seed"]["kendall"][0]
                 for name in ("effective parameters", "parameters") if score(any_result, name)}
    plot_taus(arms, inherited, baselines, "200 epochs alone", f"{out}/nasbench201.svg")


def scores(path, table):
    """Statistics of one arm, from a CSV with arch, flops, accuracy_SEED and loss_SEED."""
    with gzip.open(table, "rt") as f:
        of_arch = {row["arch"]: float(row["cifar10_test_200ep"]) for row in csv.DictReader(f)}
    with open(path) as f:
        networks = list(csv.DictReader(f))
    truth = [of_arch[network["arch"]] for network in networks]
    flops = [float(network["flops"]) for network in networks]
    kinds = {"FLOPs": [flops]}
    for name, kind, sign in (("inherited accuracy", "accuracy", 1), ("inherited cross-entropy", "loss", -1)):
        kinds[name] = [[sign * float(network[column]) for network in networks]
                       for column in networks[0] if column.startswith(kind)]
        kinds[name + " and FLOPs"] = [mean_rank(of_seed, flops) for of_seed in kinds[name]]
    print(f"{len(networks)} networks, the best {max(truth):.2f}%")
    print("| score | tau | tau, upper half | accuracy of the pick | tau - FLOPs' |\n|---|---|---|---|---|")
    for name, of_seeds in kinds.items():
        columns = [[tau_b(truth, s) for s in of_seeds], [top_half(truth, s) for s in of_seeds],
                   [max(truth) - regret(truth, s) for s in of_seeds],
                   [tau_b(truth, s) - tau_b(truth, flops) for s in of_seeds]]
        print(f"| {name} | " + " | ".join(
            f"{mean:.3f}" + (f" ± {half:.3f}" if half == half else "") for mean, half in map(interval, columns)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    tables = what.add_parser("table")
    tables.add_argument("db", nargs="+")
    tables.add_argument("--out", default="docs/studies")
    of_arm = what.add_parser("scores")
    of_arm.add_argument("csv")
    of_arm.add_argument("--table", required=True, help="CSV.gz of NAS-Bench-201")
    rates = what.add_parser("rates")
    rates.add_argument("db", nargs="+")
    rates.add_argument("--out", required=True)
    for name, epochs in (("grid", 20), ("jobs", 100)):
        jobs = what.add_parser(name)
        jobs.add_argument("out")
        jobs.add_argument("--data", required=True, help="folder of CIFAR-10")
        jobs.add_argument("--table", required=True, help="CSV of NAS-Bench-201")
        jobs.add_argument("--device", default="cuda")
        jobs.add_argument("--channels", type=int, default=8)
        jobs.add_argument("--cells", type=int, default=5, help="of a stage")
        jobs.add_argument("--epochs", type=int, default=epochs, help="on half of the training images")
        jobs.add_argument("--images", type=int, default=10000, help="validation images that score a network; 0: all")
        jobs.add_argument("--calibration", type=int, default=1024, help="training images for statistics of a network")
        jobs.add_argument("--limit", type=int, default=0, help="training and validation images; 0: all")
    jobs.add_argument("--rates", help="file of `rates`; arms that it lacks train at 0.2")
    jobs.add_argument("--seeds", type=int, default=3)
    jobs.add_argument("--networks", type=int, default=1000)
    jobs.add_argument("--best", type=int, default=100)
    options = parser.parse_args()
    if options.what == "table":
        table(options.db, options.out)
        return
    if options.what == "scores":
        scores(options.csv, options.table)
        return
    if options.what == "rates":
        choose_rates(losses_of_grid(options.db), options.out)
        return
    os.makedirs(options.out, exist_ok=True)

    if options.what == "grid":
        files = {f"{arm}@{rate}": (arm, SPARE_SEED, rate, 1, 40, 0) for arm in ARMS for rate in GRID}
    else:
        files = {arm: (arm, 1, rate, options.seeds, options.networks, options.best)
                 for arm, rate in read_rates(options.rates, ARMS).items()}
    for name, (arm, *rest) in files.items():
        with open(f"{options.out}/{name}.toml", "w") as f:
            f.write(job(name, ARMS[arm], options, *rest))


if __name__ == "__main__":
    main()
