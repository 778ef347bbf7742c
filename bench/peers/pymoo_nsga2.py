"""pymoo's NSGA-II on integer genes."""

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem as PymooProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from peers import nb201

ROUNDS = 2000  # generations after which a search that finds nothing new gives up


class Genes(PymooProblem):
    """Objectives of the networks whose genes pymoo proposes."""

    def __init__(self, evaluate, objectives):
        super().__init__(n_var=len(nb201.EDGES), n_obj=objectives, xl=0, xu=len(nb201.OPS) - 1, vtype=int)
        self._rows = evaluate

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = self._rows(np.asarray(x, dtype=int) @ nb201.POWERS)


def search(problem, seed, population=20):
    """NSGA-II as pymoo's guide sets it up for integers (SBX and polynomial mutation with eta 3, rounded), duplicates
    eliminated within the population."""
    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    rows = Genes(lambda networks: np.array([problem.evaluate(n) for n in networks]), problem.objectives)
    minimize(rows, algorithm, ("n_gen", ROUNDS), seed=seed, verbose=False)
