"""DyNAS-T's LINAS loop (Cummings et al. 2022) around its own predictor.

The package cannot be used as a whole: it asks for fairseq and torch, and its loop is tied to a list of supernets. So
its `Predictor` (ridge and RBF support vectors on one-hot features, settings by cross-validation) is imported from
dynast 1.6.0, and the loop around it is written as theirs: random networks; then evaluate, refit one predictor per
objective on everything seen, NSGA-II (a plain genetic algorithm with one objective) of pymoo with their settings on
the predictions, and its last population is evaluated next.
"""

import importlib.machinery
import sys
import types
import warnings

import numpy as np
import sklearn
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from peers import nb201
from peers.pymoo_nsga2 import Genes

POPULATION = 50
PREDICTED_EVALUATIONS = 10_000  # theirs: 5,000 to 20,000, by supernet


def predictor_class():
    """`Predictor` of dynast, without running the package's `__init__`, which imports torch and fairseq."""
    if "dynast" not in sys.modules:
        found = importlib.machinery.PathFinder.find_spec("dynast")
        if found is None:
            raise ModuleNotFoundError("dynast is missing: pip install --no-deps dynast==1.6.0")
        package = types.ModuleType("dynast")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["dynast"] = package
    from dynast.predictors.dynamic_predictor import Predictor

    return Predictor


def predictions(networks, values):
    """Predicted objectives of all networks. The first objective, an error in percent, is predicted as the accuracy
    that theirs predicts: relative errors choose the settings, so it makes a difference."""
    predicted = []
    for objective, column in enumerate(values.T):
        sign, shift = (-1, 100) if objective == 0 else (1, 0)
        predictor = predictor_class()()
        for searcher in predictor.searchers:
            searcher.n_jobs = 1
        with warnings.catch_warnings(), sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            warnings.simplefilter("ignore")  # support vectors that stop at their limit of iterations
            predictor.train(nb201.one_hot()[networks], sign * column + shift)
        predicted.append(sign * (predictor.predict(nb201.one_hot()) - shift))
    return np.stack(predicted, axis=1)


def inner_search(predicted, seed):
    """Last population of an evolutionary search on predictions."""
    kind = GA if predicted.shape[1] == 1 else NSGA2
    algorithm = kind(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=0.02, eta=20.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    rows = Genes(lambda networks: predicted[networks], predicted.shape[1])
    result = minimize(rows, algorithm, ("n_gen", PREDICTED_EVALUATIONS // POPULATION), seed=seed, verbose=False)
    return np.asarray(result.pop.get("X"), dtype=int) @ nb201.POWERS


def search(problem, seed):
    """Goes on until the budget is spent, where theirs ends after budget / 50 rounds, repeats counted. The inner search
    starts from the same seed each round (theirs does), so a round without any new network is followed by a random
    one, or it would never end."""
    random = np.random.default_rng(seed)
    batch = random.integers(nb201.NETWORKS, size=POPULATION)
    while True:
        before = problem.left
        for network in batch:
            problem.evaluate(network)
        if problem.left == before:
            batch = random.integers(nb201.NETWORKS, size=POPULATION)
            continue
        batch = inner_search(predictions(*problem.evaluated()), seed)
