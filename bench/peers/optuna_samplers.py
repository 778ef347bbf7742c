"""Optuna's samplers on categorical genes."""

import warnings

import optuna

from peers import nb201

TRIALS_PER_EVALUATION = 10  # a sampler that repeats itself longer than that gives up


def nsga2(problem, seed, population=20):
    """NSGA-II with Optuna's own operators."""
    _ask_and_tell(problem, optuna.samplers.NSGAIISampler(population_size=population, seed=seed))


def tpe(problem, seed):
    """Tree-structured Parzen estimator, multivariate; several objectives by hypervolume contributions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(multivariate=True, seed=seed)
    _ask_and_tell(problem, sampler)


def _ask_and_tell(problem, sampler):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * problem.objectives, sampler=sampler)
    edges = {
        f"edge{first}{second}": optuna.distributions.CategoricalDistribution(nb201.OPS)
        for first, second in nb201.EDGES
    }
    for _ in range(TRIALS_PER_EVALUATION * problem.budget):
        trial = study.ask(edges)
        network = nb201.number([nb201.OPS.index(trial.params[edge]) for edge in edges])
        study.tell(trial, [float(value) for value in problem.evaluate(network)])
