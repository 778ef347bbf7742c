"""Searches that Mosaic is compared with, by name.

Each is a function `search(problem, seed)` that asks `problem.evaluate(network)` until it raises Spent. All see the
same: the genes of a network, and the objectives of the networks that they paid for. A network that was evaluated before
is answered from memory and costs nothing, for every search alike.
"""

import importlib

PEERS = {  # name: module and function, loaded when it is run
    "random": "evolution:random_search",
    "regularized_evolution": "evolution:regularized_evolution",
    "pymoo_nsga2": "pymoo_nsga2:search",
    "optuna_nsga2": "optuna_samplers:nsga2",
    "optuna_tpe": "optuna_samplers:tpe",
    "dynast_linas": "linas:search",
    "gaussian_process": "gaussian_process:search",
}
SINGLE_ONLY = {"regularized_evolution"}
TWO_ONLY = {"pymoo_nsga2", "optuna_nsga2"}


def plays(name, objectives):
    """Whether the peer is run on a task with so many objectives."""
    return name not in (TWO_ONLY if objectives == 1 else SINGLE_ONLY)


def find(name):
    """The search function of a peer."""
    module, function = PEERS[name].split(":")
    return getattr(importlib.import_module(f"peers.{module}"), function)
