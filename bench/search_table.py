#!/usr/bin/env python3
"""Searches NAS-Bench-201 with Mosaic and with its peers: same table, same budget, same seeds, same run.

    bench/search_table.py --data FOLDER --work DIR                      all arms, 30 and 200 seeds
    bench/search_table.py --data FOLDER --work DIR --peers-only --jobs 30
    bench/search_table.py --data FOLDER --work DIR --tasks pixel3 --arms gaussian_process,mosaic_linas --seeds 10
    bench/search_table.py --data FOLDER --work DIR --report-only --out bench/results/search_table.md

FOLDER holds nasbench201.csv.gz. Each run is kept in DIR as one small file and is not made again: a benchmark that was
killed goes on, and folders from several machines can be merged by copying. Runs of Mosaic are made again with --again
ARM (after Mosaic changed, say). Figures are computed from the sequences of evaluated networks alone.

An evaluation is a distinct network: what a search proposes again is answered from memory, for Mosaic and peers alike.
Needs bench/requirements.txt for the peers, numpy and scipy for Mosaic and the report.
"""

import argparse
import collections
import os
import pathlib
import shutil
import subprocess
import sys
import time
import traceback

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy: runs are many and small

import concurrent.futures  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from peers import PEERS, find, mosaic, nb201, plays, problem, report, runs  # noqa: E402

Item = collections.namedtuple("Item", "arm task seed")


def plays_arm(arm, task):
    """Whether an arm is run on a task."""
    objectives = len(task.objectives)
    if arm in PEERS:
        return plays(arm, objectives)
    return not (arm == "mosaic_regularized_evolution" and objectives == 2)


def planned(arguments):
    """All runs asked for, seed by seed, so that a benchmark cut short has all arms at the same seeds."""
    tasks = problem.tasks()
    items = []
    for name in arguments.tasks:
        seeds = arguments.single_seeds if name == "accuracy" else arguments.seeds
        items += [Item(arm, name, seed) for seed in range(seeds) for arm in arguments.arms
                  if plays_arm(arm, tasks[name])]
    return sorted(items, key=lambda item: (item.seed, arguments.tasks.index(item.task)))


def make(item, arguments, note):
    """Makes one run and keeps it; in a process of its own."""
    task = problem.tasks()[item.task]
    begin = time.process_time(), os.times().children_user
    if item.arm in mosaic.ARMS:
        table = arguments.work / "tables" / f"{task.name}.csv"
        sequence = mosaic.run(arguments.mosaic, mosaic.ARMS[item.arm], task, table, arguments.budget, item.seed)
    else:
        sequence = problem.run(find(item.arm), task, arguments.data, arguments.budget, item.seed)
    seconds = time.process_time() - begin[0] + os.times().children_user - begin[1]
    runs.save(runs.path(arguments.work, *item), sequence, arguments.budget, seconds=round(seconds, 2), version=note)


def versions(arguments):
    """What is noted with a run, by arm."""
    notes = {}
    for arm in arguments.arms:
        if arm in mosaic.ARMS:
            notes[arm] = mosaic.version(arguments.mosaic)
        else:
            package = {"pymoo_nsga2": "pymoo", "optuna_nsga2": "optuna", "optuna_tpe": "optuna"}.get(arm, "numpy")
            notes[arm] = f"{package} {__import__(package).__version__}"
    return notes


def make_all(items, arguments):
    """Makes the missing runs; gives the number that failed."""
    missing = [i for i in items if runs.load(runs.path(arguments.work, *i), arguments.budget) is None]
    print(f"{len(items) - len(missing)} of {len(items)} runs are there, {len(missing)} to make", flush=True)
    if not missing:
        return 0
    notes = versions(arguments)
    if any(item.arm in mosaic.ARMS for item in missing):
        for name in {item.task for item in missing}:
            mosaic.write_table(problem.tasks()[name], arguments.data, arguments.work / "tables")
    failed = 0
    begin = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = {pool.submit(make, item, arguments, notes[item.arm]): item for item in missing}
        for count, future in enumerate(concurrent.futures.as_completed(waiting), 1):
            if error := future.exception():
                failed += 1
                print(f"{' '.join(map(str, waiting[future]))} failed:", file=sys.stderr)
                traceback.print_exception(error, limit=-2)
            if count % 20 == 0 or count == len(missing):
                print(f"{count} of {len(missing)} runs, {time.monotonic() - begin:.0f} s", flush=True)
    return failed


def revision():
    """Revision of this checkout."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def words(known):
    """Type of a comma-separated list of known names."""

    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"unknown name '{name}': use some of {', '.join(known)}")
        return names

    return parse


def parsed():
    tasks = list(problem.tasks())
    arms = [*PEERS, *mosaic.ARMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of nasbench201.csv.gz")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder in which runs are kept")
    parser.add_argument("--mosaic", type=pathlib.Path, default=ROOT / "build/release/bin/mosaic")
    parser.add_argument("--arms", type=words(arms), default=arms, help="some of " + ", ".join(arms))
    parser.add_argument("--tasks", type=words(tasks), default=tasks, help="some of " + ", ".join(tasks))
    parser.add_argument("--seeds", type=int, default=30, help="seeds of tasks with two objectives")
    parser.add_argument("--single-seeds", type=int, default=200, help="seeds of the task with one objective")
    parser.add_argument("--budget", type=int, default=200, help="evaluations of a run")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--peers-only", action="store_true", help="leave Mosaic out")
    parser.add_argument("--again", type=words(arms), default=[], help="arms whose runs are made again")
    parser.add_argument("--report-only", action="store_true", help="only report the runs that are there")
    parser.add_argument("--out", type=pathlib.Path, help="write the report into a file as well")
    parser.add_argument("--plot", type=pathlib.Path, help="write a plot of all arms (.svg or .png; needs matplotlib)")
    arguments = parser.parse_args()
    if arguments.peers_only:
        arguments.arms = [arm for arm in arguments.arms if arm in PEERS]
    arguments.mosaic = arguments.mosaic.resolve()
    return arguments


def main():
    arguments = parsed()
    nb201.columns(arguments.data)  # before the processes fork: all share it
    failed = 0
    if not arguments.report_only:
        for arm in arguments.again:
            shutil.rmtree(arguments.work / "runs" / arm, ignore_errors=True)
        failed = make_all(planned(arguments), arguments)
    found = report.collect(planned(arguments), arguments.work, arguments.data, arguments.budget)
    text = report.markdown(found, arguments.budget, revision())
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    if arguments.plot:
        report.plot(found, arguments.plot)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
