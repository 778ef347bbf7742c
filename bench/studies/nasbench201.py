#!/usr/bin/env python3
"""Study: which way of sharing weights ranks the cells of NAS-Bench-201 best?

  nasbench201.py grid OUT --data CIFAR10 --table nasbench201.csv.gz     each arm with each learning rate, a spare seed
  nasbench201.py rates OUT/*.db --out rates.json                        each arm's best rate, by validation loss
  nasbench201.py jobs OUT --data CIFAR10 --table nasbench201.csv.gz --rates rates.json     writes the job files
  nasbench201.py table OUT/*.db --out docs/studies                      reads finished jobs, or SCORES.csv.gz: table, plot
  nasbench201.py scores OUT/*.db --out SCORES.csv.gz                    what finished jobs recorded, a row a cell

Each job is run by `mosaic rank OUT/ARM.toml --db OUT/ARM.db`, in any order, interrupted at will; it prints the
table of the arm (1,000 random cells, and the 100 best apart) beside parameters, effective parameters and FLOPs.
The table needs the columns `arch` and `cifar10_test_200ep`. A plot wants matplotlib and is left out without it.
"""

import argparse
import csv
import functools
import gzip
import io
import json
import os
import sys

from ranking import (GRID, SPARE_SEED, agreement, arm_of, at_best_rates, choose_rates, in_order, interval, label_of,
                     mean_rank, plot_taus, read_rates, regret, rows, tau_b, text_of, top)

# name: the [supernet] keys that make the arm
ARMS = {
    "plain": 'sharing = "plain"',
    "growth-1.5": 'sharing = "grown"\nbudget = 1.5',
    "random-growth-1.5": 'sharing = "grown"\nbudget = 1.5\ngrow_slots = "random"\ngrow_questions = "random"',
    "layer-wise-m2": 'sharing = "layer-wise"\ncopies = 2',
    "stratified": 'sharing = "plain"\nsampler = "stratified(by=relu)"',
    "gradient-split-4": 'sharing = "partition"\nsplit = "gradient"\nsplit_at = [0.15, 0.3]\nsplit_repeats = 50',
    "random-split-4": 'sharing = "partition"\nsplit = "random"\nsplit_at = [0.15, 0.3]',
    "pada": 'sharing = "plain"\nsampler = "importance"',
}

# Scores that cost nothing, as `mosaic rank` names them.
BASELINES = ("parameters", "effective parameters", "FLOPs")


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
    for name, config, loss in rows(
        paths, "SELECT j.name, j.config, avg(m.value) FROM measurements m JOIN jobs j ON j.id = m.job "
        "WHERE m.status = 'ok' AND m.metric = 'loss' AND m.seed = ? GROUP BY j.name", (SPARE_SEED,)
    ):
        arm, rate = arm_of(name, config)
        losses.setdefault(arm, {})[rate] = loss
    return losses


def column_of(baseline):
    return baseline.lower().replace(" ", "_")


def of_job(state):
    """What a finished job of `mosaic rank` recorded, a row a cell: set (the cells that were drawn are "random", the best
    of the table "best"), arch, truth, baselines, scores a seed."""
    result = []
    for part, found in (("random", state), ("best", state.get("best"))):
        if not found:
            continue
        values = {s["name"]: s["values"] for s in found["scores"]}
        for i, (arch, truth) in enumerate(zip(found["networks"]["arch"], found["networks"]["truth"])):
            row = {"set": part, "arch": arch, "truth": truth}
            row |= {column_of(name): int(values[name][0][i]) for name in BASELINES}
            for column, name, digits in (("accuracy", "inherited accuracy", 2), ("loss", "inherited cross-entropy", 5)):
                row |= {f"{column}_{seed}": round(values[name][k][i], digits) for k, seed in enumerate(found["seeds"])}
            result.append(row)
    return result


def read(paths):
    """(arm, learning rate) -> rows, from databases of finished jobs and from CSV files that `scores` wrote."""
    arms = {}
    for path in paths:
        if path.endswith(".csv.gz"):
            with gzip.open(path, "rt", newline="") as f:
                for row in csv.DictReader(f):
                    arms.setdefault((row.pop("arm"), float(row.pop("rate"))), []).append(row)
            continue
        for name, config, state in rows([path], "SELECT j.name, j.config, s.state FROM states s JOIN jobs j ON j.id = s.job "
                                        "WHERE s.phase = 'rank'"):
            arms[arm_of(name, config)] = of_job(json.loads(state))
    if not arms:
        sys.exit("none of these files holds a finished job of `mosaic rank`")
    return dict(in_order(arms, ARMS))


def write_scores(paths, out):
    arms = read(paths)
    with gzip.GzipFile(out, "w", mtime=0) as packed, io.TextIOWrapper(packed, newline="") as f:
        writer = csv.DictWriter(f, ["arm", "rate", *next(iter(arms.values()))[0]], lineterminator="\n")
        writer.writeheader()
        for (arm, rate), cells in arms.items():
            writer.writerows({"arm": arm, "rate": rate} | cell for cell in cells)


def scores_of(cells):
    """name -> a list a seed, of a score a cell: the greater the better."""
    flops = [float(cell["flops"]) for cell in cells]
    result = {}
    for name, kind, sign in (("inherited accuracy", "accuracy", 1), ("inherited cross-entropy", "loss", -1)):
        result[name] = [[sign * float(cell[column]) for cell in cells] for column in cells[0] if column.startswith(kind)]
    result["cross-entropy and FLOPs"] = [mean_rank(of_seed, flops) for of_seed in result["inherited cross-entropy"]]
    return result


def truth_of(cells):
    return [float(cell["truth"]) for cell in cells]


def statistics(cells, scores, best, scores_of_best):
    """Columns of the table, a value a seed each: tau, in the upper half and tenth, the pick's truth, tau of the best."""
    truth = truth_of(cells)
    return [[tau_b(truth, s) for s in scores], [top(truth, s, 2) for s in scores], [top(truth, s, 10) for s in scores],
            [max(truth) - regret(truth, s) for s in scores], [tau_b(truth_of(best), s) for s in scores_of_best]]


def texts_of(columns):
    return [text_of(interval(values), digits) if values else "" for values, digits in zip(columns, (3, 3, 3, 2, 3))]


def table(paths, out):
    arms = read(paths)
    drawn, best = ({arm: [c for c in cells if c["set"] == part] for arm, cells in arms.items()} for part in ("random", "best"))
    lines = ["| score | sharing | rate | tau | upper half | upper tenth | accuracy of the pick | tau among the best "
             "| tau - plain's | tau - FLOPs' |", "|---" * 10 + "|"]
    first = next(iter(arms))
    baselines = {}
    for name in BASELINES:
        of, of_best = ([[float(cell[column_of(name)]) for cell in cells]] for cells in (drawn[first], best[first]))
        columns = statistics(drawn[first], of, best[first], of_best if best[first] else [])
        baselines[name] = columns[0][0]
        lines.append(f"| {name} | | | " + " | ".join(texts_of(columns)) + " | | |")

    scores = {arm: scores_of(cells) for arm, cells in drawn.items()}
    columns_of = {}
    for arm in arms:
        of_best = scores_of(best[arm]) if best[arm] else {}
        columns_of[arm] = {score: statistics(drawn[arm], values, best[arm], of_best.get(score, []))
                           for score, values in scores[arm].items()}

    @functools.cache
    def taus_of(arm, archs):
        """By score and seed, on the cells of an arm that may have been stopped early."""
        same = [cell for cell in drawn[arm] if cell["arch"] in archs]
        return {s: [tau_b(truth_of(same), v) for v in values] for s, values in scores_of(same).items()}

    plain_rates = [rate for name, rate in arms if name == "plain"]

    def less_plain(arm, score, taus):
        """Plain supernets at the arm's learning rate, or, said so, at the first that they ran with."""
        others = [rate for rate in plain_rates if rate == arm[1]] or plain_rates[:1]
        if not others or arm[0] == "plain":
            return ""
        plain = taus_of(("plain", others[0]), frozenset(cell["arch"] for cell in drawn[arm]))[score]
        text = text_of(interval([a - b for a, b in zip(taus, plain)]), difference=True)
        return text if others[0] == arm[1] else f"{text} (at {others[0]:g})"

    tau_of_flops = {arm: tau_b(truth_of(cells), [float(cell["flops"]) for cell in cells]) for arm, cells in drawn.items()}
    for score in scores[first]:
        for arm in arms:
            taus = columns_of[arm][score][0]
            label = arm[0] if len(drawn[arm]) == len(drawn[first]) else f"{arm[0]} ({len(drawn[arm])} cells)"
            less_flops = text_of(interval([tau - tau_of_flops[arm] for tau in taus]), difference=True)
            lines.append(f"| {score} | {label} | {arm[1]:g} | " +
                         " | ".join(texts_of(columns_of[arm][score]) + [less_plain(arm, score, taus), less_flops]) + " |")
    text = "\n".join(lines)
    print(f"{len(drawn[first])} cells, the best {max(truth_of(drawn[first])):.2f}%\n{text}")
    losses = {}
    for arm in arms:
        loss = interval([-sum(values) / len(values) for values in scores[arm]["inherited cross-entropy"]])
        losses[arm] = loss[0]
        print(f"{label_of(arm)}: validation loss {text_of(loss)}, seeds agree by a tau of "
              f"{agreement(scores[arm]['inherited cross-entropy']) or 0:.2f} (cross-entropy)")
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/nasbench201-table.md", "w") as f:
        f.write(text + "\n")
    plot_taus({label_of(arm): [interval(columns[0]) for columns in columns_of[arm].values()] for arm in at_best_rates(losses)},
              list(scores[first]), {"FLOPs": baselines["FLOPs"], "parameters": baselines["parameters"]},
              "200 epochs alone", f"{out}/nasbench201.svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    tables = what.add_parser("table")
    tables.add_argument("db", nargs="+", help="databases, or a CSV.gz of `scores`")
    tables.add_argument("--out", default="docs/studies")
    of_arms = what.add_parser("scores")
    of_arms.add_argument("db", nargs="+")
    of_arms.add_argument("--out", required=True)
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
        write_scores(options.db, options.out)
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
