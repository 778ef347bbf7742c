"""Runs kept on disk, one small file each, so that a benchmark goes on where it was killed and pieces from several
machines can be put together by copying their folders over one another."""

import json
import os
import pathlib

import numpy as np

from peers import nb201


def path(work, arm, task, seed):
    return pathlib.Path(work) / "runs" / arm / task / f"{seed}.json"


def save(file, sequence, budget, **notes):
    """Writes a run: its networks, as strings of their six genes, and notes."""
    codes = ["".join(map(str, nb201.genes()[network])) for network in sequence]
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"budget": budget, **notes, "sequence": " ".join(codes)}) + "\n")
    draft.replace(file)


def load(file, budget):
    """A run of at least this budget with its `sequence` as network numbers, or None."""
    try:
        run = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    if run["budget"] < budget:
        return None
    genes = np.array([list(map(int, code)) for code in run["sequence"].split()])
    run["sequence"] = (genes @ nb201.POWERS)[:budget]
    return run
