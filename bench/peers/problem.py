"""What a search is given: networks to evaluate until the budget is spent."""

import dataclasses

import numpy as np

from peers import nb201

ACCURACY = "cifar10_test_200ep"
DEVICES = ["1080ti_1", "pixel3", "silver_4114", "samsung_s7", "titanx_32", "essential_ph_1"]


class Spent(Exception):
    """The budget of evaluations is spent."""


@dataclasses.dataclass(frozen=True)
class Task:
    """Name and objectives as (column, goal) pairs."""

    name: str
    objectives: tuple

    def values(self, data):
        """Objectives of all networks, [networks, objectives], smaller is better; accuracies as errors in percent."""
        table = nb201.columns(data)
        return np.stack([100 - table[c] if goal == "max" else table[c] for c, goal in self.objectives], axis=1)


def single_task():
    return Task("accuracy", ((ACCURACY, "max"),))


def device_task(device):
    return Task(device, ((ACCURACY, "max"), (f"latency_ms_{device}", "min")))


def tasks():
    """All tasks by name: `accuracy` (one objective), and one a device (error and latency)."""
    return {task.name: task for task in [single_task(), *map(device_task, DEVICES)]}


class Problem:
    """A table behind a counter of distinct networks."""

    def __init__(self, values, budget):
        self._values = values
        self._known = {}
        self.budget = budget
        self.objectives = values.shape[1]

    @property
    def sequence(self):
        """Distinct networks in the order evaluated."""
        return list(self._known)

    @property
    def left(self):
        return self.budget - len(self._known)

    def knows(self, network):
        return network in self._known

    def evaluate(self, network):
        """Objectives of a network, to be minimised. Raises Spent for a new network beyond the budget."""
        network = int(network)
        if network not in self._known:
            if self.left == 0:
                raise Spent
            self._known[network] = self._values[network]
        return self._known[network]

    def evaluated(self):
        """Networks and objectives known so far."""
        return np.array(self.sequence), np.array(list(self._known.values()))


def run(search, task, data, budget, seed):
    """Networks that a search evaluated, in order."""
    problem = Problem(task.values(data), budget)
    try:
        search(problem, seed)
    except Spent:
        pass
    return problem.sequence
