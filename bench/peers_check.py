#!/usr/bin/env python3
"""Checks the benchmark's own arithmetic against independent references: bench/peers_check.py (needs the peers)."""

import itertools
import sys
import unittest

import numpy as np
from pymoo.indicators.hv import HV
from scipy import optimize

from peers import figures, find, nb201, problem
from peers import gaussian_process as gp


def made_up_values(objectives):
    """A table of all networks without any file: errors and latencies from random weights of ops."""
    random = np.random.default_rng(5)
    weights = random.uniform(0, 1, size=(nb201.one_hot().shape[1], objectives))
    return 5 + nb201.one_hot() @ weights + 0.1 * random.normal(size=(nb201.NETWORKS, objectives))


class Check(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(1)

    def test_cell_strings_and_numbers_are_inverse(self):
        for network in self.random.choice(nb201.NETWORKS, 50):
            self.assertEqual(nb201.number(nb201.parse(nb201.text(network))), network)

    def test_path_counts_of_a_known_cell(self):
        cell = nb201.number(nb201.parse("|skip_connect~0|+|none~0|none~1|+|skip_connect~0|skip_connect~1|none~2|"))
        self.assertEqual(sorted(nb201.path_counts()[cell])[-3:], [0, 1, 1])  # the edge 0-3, and 0-1-3

    def test_hypervolume_agrees_with_pymoo(self):
        points = self.random.uniform(0, 1.3, size=(30, 2))
        inside = points[(points < 1.1).all(axis=1)]
        self.assertAlmostEqual(figures.hypervolume(points, np.full(2, 1.1)), HV(ref_point=np.full(2, 1.1))(inside))

    def test_the_whole_table_has_share_one(self):
        values = made_up_values(2)
        share = figures.curve(values, figures.front(values), 200)
        self.assertAlmostEqual(share[-1], 1.0)

    def test_distances_are_those_counted(self):
        a, b = self.random.choice(nb201.NETWORKS, (2, 20))
        edges = (nb201.genes()[a][:, None] != nb201.genes()[b]).sum(axis=2)
        paths = ((nb201.path_counts()[a][:, None] - nb201.path_counts()[b]) ** 2).sum(axis=2)
        self.assertTrue((gp.distances(a, b) == gp.FARTHEST * edges + paths).all())

    def test_gradient_agrees_with_differences(self):
        known = self.random.choice(nb201.NETWORKS, 40, replace=False)
        model = gp.Regression(gp.distances(known, known), made_up_values(1)[known, 0])
        at = model.START + 0.1
        expected = optimize.approx_fprime(at, lambda p: model._loss(p)[0], 1e-6)
        np.testing.assert_allclose(model._loss(at)[1], expected, rtol=1e-3, atol=1e-3)

    def test_expected_improvement_of_hypervolume_agrees_with_sampling(self):
        best, reference = np.array([[0.1, 0.9], [0.3, 0.5], [0.7, 0.2]]), np.full(2, 1.1)
        mean, deviation = np.array([[0.2, 0.4], [0.5, 0.5]]), np.array([[0.1, 0.2], [0.3, 0.05]])
        exact = gp.hypervolume_improvement(best, reference, mean, deviation)
        base = figures.hypervolume(best, reference)
        for i in range(2):
            draws = mean[i] + deviation[i] * self.random.normal(size=(20_000, 2))
            gains = [figures.hypervolume(np.vstack([best, draw]), reference) - base for draw in draws]
            self.assertLess(abs(exact[i] - np.mean(gains)), 4 * np.std(gains) / np.sqrt(len(gains)))

    def test_searches_spend_their_budget_on_distinct_networks_and_repeat_by_seed(self):
        peers = ["random", "pymoo_nsga2", "optuna_nsga2", "optuna_tpe", "gaussian_process"]
        for name, objectives in [*itertools.product(peers, [2]), ("regularized_evolution", 1), ("gaussian_process", 1)]:
            with self.subTest(name):
                sequences = []
                for _ in range(2):
                    given = problem.Problem(made_up_values(objectives), 45)
                    with self.assertRaises(problem.Spent):
                        find(name)(given, 3)
                    sequences.append(given.sequence)
                self.assertEqual(len(set(sequences[0])), 45)
                self.assertEqual(sequences[0], sequences[1])


if __name__ == "__main__":
    sys.exit(unittest.main())
