#!/usr/bin/env python3
"""Times one generation of pymoo's NSGA-II with 10,000 candidates and duplicate elimination, beside Mosaic's.

    bench/generation.py --mosaic build/release/bin/bench_generation     both sides in alternation, and the ratio

The space has as many integer genes and options as Mosaic's (a large elastic network), since small ones such as
NAS-Bench-201 hold no 10,000 new candidates. Objectives are (a) "cheap": two weighted sums of the genes; (b) "ridge":
two ridge regressions on one-hot features, fitted to 200 networks, in numpy. One generation: tournament, crossover,
mutation, elimination of duplicates (among the offspring and against the parents), evaluation, non-dominated sorting of
20,000 and survival. One core. Needs numpy and pymoo.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy: one core

import numpy as np  # noqa: E402
import pymoo  # noqa: E402
from pymoo.algorithms.moo.nsga2 import NSGA2  # noqa: E402
from pymoo.core.problem import Problem  # noqa: E402
from pymoo.operators.crossover.sbx import SBX  # noqa: E402
from pymoo.operators.mutation.pm import PM  # noqa: E402
from pymoo.operators.repair.rounding import RoundingRepair  # noqa: E402
from pymoo.operators.sampling.rnd import IntegerRandomSampling  # noqa: E402

OPTIONS = None  # of each gene, as bench_generation says
KNOWN = 200  # networks that the ridge is fitted to


def cheap(random):
    """Two weighted sums of the genes, pulling in different directions."""
    weights = np.stack([random.normal(size=len(OPTIONS)), random.uniform(-1, 0.2, size=len(OPTIONS))], axis=1)
    return lambda genes: genes @ weights


class Ridge:
    """Two ridge regressions on one-hot features."""

    def __init__(self, random):
        self.first = np.cumsum(OPTIONS) - OPTIONS  # column of a gene's first option
        genes = random.integers(OPTIONS, size=(KNOWN, len(OPTIONS)))
        effects = random.normal(size=(OPTIONS.sum(), 2))
        features = self.one_hot(genes)
        targets = features @ effects + 0.1 * random.normal(size=(KNOWN, 2))
        self.mean = targets.mean(axis=0)
        penalty = np.eye(features.shape[1])
        self.weights = np.linalg.solve(features.T @ features + penalty, features.T @ (targets - self.mean))

    def one_hot(self, genes):
        features = np.zeros((len(genes), OPTIONS.sum()))
        np.put_along_axis(features, genes + self.first, 1.0, axis=1)
        return features

    def __call__(self, genes):
        return self.one_hot(genes) @ self.weights + self.mean


class Genes(Problem):
    def __init__(self, objectives):
        super().__init__(n_var=len(OPTIONS), n_obj=2, xl=0, xu=OPTIONS - 1, vtype=int)
        self.objectives = objectives

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = self.objectives(np.asarray(x, dtype=int))


def generations(objectives, population, repeats, seed):
    """Seconds of each generation after the first (which makes and sorts the random population), by the wall's clock
    and by the processor's: on a busy machine only the second can be compared."""
    algorithm = NSGA2(
        pop_size=population,
        n_offsprings=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(eta=20.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(Genes(objectives), termination=("n_gen", repeats + 1), seed=seed, verbose=False)
    algorithm.next()
    wall, processor = [], []
    for _ in range(repeats):
        begin = time.perf_counter(), time.process_time()
        algorithm.next()
        wall.append(time.perf_counter() - begin[0])
        processor.append(time.process_time() - begin[1])
    return wall, processor


def compare(arguments):
    """Both sides `rounds` times in turn, on genes of the same numbers of options, and the ratios of the medians."""
    global OPTIONS
    command = [arguments.mosaic, "--population", str(arguments.population), "--repeats",
               str(arguments.repeats), "--seed", str(arguments.seed)]
    times = {}
    for _ in range(arguments.rounds):
        mosaic = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        OPTIONS = np.array(mosaic["options"])
        for name, kind in (("cheap", cheap), ("ridge", Ridge)):
            both = times.setdefault(name, {"mosaic": ([], []), "pymoo": ([], [])})
            both["mosaic"][0].extend(mosaic["objectives"][name]["seconds"])
            both["mosaic"][1].extend(mosaic["objectives"][name]["processor_seconds"])
            wall, processor = generations(kind(np.random.default_rng(arguments.seed)), arguments.population,
                                          arguments.repeats, arguments.seed)
            both["pymoo"][0].extend(wall)
            both["pymoo"][1].extend(processor)
    print(f"pymoo {pymoo.__version__}, population and offspring {arguments.population}, options of the {len(OPTIONS)} genes: "
          f"{OPTIONS.tolist()}")
    print("| objectives | side | wall s: median (least - most) | processor s: median (least - most) |")
    print("|---|---|---:|---:|")
    for name, sides in times.items():
        for side, clocks in sides.items():
            cells = [f"{statistics.median(s):.4f} ({min(s):.4f} - {max(s):.4f})" for s in clocks]
            print(f"| {name} | {side} | {cells[0]} | {cells[1]} |")
        ratios = [statistics.median(sides["pymoo"][i]) / statistics.median(sides["mosaic"][i]) for i in range(2)]
        print(f"| {name} | ratio | {ratios[0]:.1f} | {ratios[1]:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="how often each side runs, in turn")
    parser.add_argument("--mosaic", metavar="PATH", required=True, help="the program bench_generation, to run beside pymoo")
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
