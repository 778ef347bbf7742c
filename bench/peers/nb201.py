"""NAS-Bench-201 as a table: genes, features and columns of its 15,625 cells."""

import csv
import functools
import gzip
import itertools
import pathlib

import numpy as np

OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
# Edges in the order of the cell string, from node to node.
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
PATHS = [[0, 2, 5], [0, 4], [1, 5], [3]]  # edges of every way from node 0 to node 3
NETWORKS = len(OPS) ** len(EDGES)
POWERS = len(OPS) ** np.arange(len(EDGES) - 1, -1, -1)  # a network's number is its genes read in base 5


def parse(text):
    """Genes of a cell string."""
    words = [part.split("~")[0] for part in text.replace("+", "").split("|") if part]
    if len(words) != len(EDGES):
        raise ValueError(f"'{text}' is no NAS-Bench-201 cell")
    return [OPS.index(word) for word in words]


def number(genes):
    return int(np.dot(genes, POWERS))


@functools.cache
def genes():
    """Genes of all networks, one row each, in the order of their numbers."""
    return np.array(list(itertools.product(range(len(OPS)), repeat=len(EDGES))))


def text(network):
    """Cell string of a network's number."""
    words = [f"{OPS[op]}~{first}" for op, (first, _) in zip(genes()[network], EDGES)]
    return f"|{words[0]}|+|{words[1]}|{words[2]}|+|{words[3]}|{words[4]}|{words[5]}|"


@functools.cache
def one_hot():
    """Features [networks, 30]: which op an edge has."""
    return np.eye(len(OPS))[genes()].reshape(NETWORKS, -1)


@functools.cache
def path_counts():
    """Features [networks, 84]: how many ways from input to output have a given sequence of ops, ways with a `none`
    left out (the path encoding of BANANAS, White et al. 2021)."""
    sequences = [s for length in (1, 2, 3) for s in itertools.product(range(1, len(OPS)), repeat=length)]
    column = {sequence: i for i, sequence in enumerate(sequences)}
    counts = np.zeros((NETWORKS, len(sequences)))
    for row, network in enumerate(genes()):
        for path in PATHS:
            sequence = tuple(int(network[edge]) for edge in path)
            if 0 not in sequence:
                counts[row, column[sequence]] += 1
    return counts


@functools.cache
def columns(data):
    """Columns of `nasbench201.csv.gz` in folder `data` as arrays by name, rows in the order of network numbers."""
    file = pathlib.Path(data) / "nasbench201.csv.gz"
    with gzip.open(file, "rt", newline="") as stream:
        names = next(csv.reader([stream.readline()]))
        rows = list(csv.reader(stream))
    order = np.array([number(parse(row[0])) for row in rows])
    if sorted(order) != list(range(NETWORKS)):
        raise ValueError(f"{file} does not list each of the {NETWORKS} networks once")
    values = np.empty((NETWORKS, len(names) - 1))
    values[order] = [[float(field) for field in row[1:]] for row in rows]
    return dict(zip(names[1:], values.T))
