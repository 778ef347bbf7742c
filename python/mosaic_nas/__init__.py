"""Mosaic from Python: the networks that it handed over, and what it measured.

    network = mosaic_nas.load("model")                          # what `mosaic extract` wrote
    table = mosaic_nas.results("results.db", "fashion-front")   # one row a network

Jobs are run by the command `mosaic`, which comes with this package.
"""
from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from mosaic_nas.subnet import Subnet

__all__ = ["load", "results"]


def load(folder: str | os.PathLike[str]) -> Subnet:
    """The network in a folder that `mosaic extract` or `mosaic finetune` wrote: a torch.nn.Module, in eval mode.

    It takes inputs as `network.config` says: names, types and shapes under "data", and under "preprocessing" how
    Mosaic made them. (Pictures: pixels in [0, 1], then (pixel - mean) / deviation.) Raises FileNotFoundError where
    the folder lacks config.json or model.safetensors.
    """
    from mosaic_nas.subnet import Subnet  # imports torch, which takes seconds

    return Subnet(folder).eval()


def results(db: str | os.PathLike[str], job: str) -> pandas.DataFrame:
    """The view `results` of a job: a row for each network, in the order in which they were evaluated.

    Accuracies are in percent, latencies in milliseconds, params and FLOPs counts; docs/database.md explains all
    columns. Reads the file without changing it, also while the job runs. Raises ImportError without pandas, and
    ValueError where `db` is no results database or has no such job.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError("mosaic_nas.results() needs pandas: pip install pandas") from error
    try:
        with closing(sqlite3.connect(f"{Path(db).resolve().as_uri()}?mode=ro", uri=True)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM jobs ORDER BY id")]
            if job not in names:
                raise ValueError(f"{db} has no job {job!r}; it has: {', '.join(names) or 'none'}")
            query = "SELECT * FROM results WHERE job = ? ORDER BY evaluation"
            return pandas.read_sql_query(query, connection, params=(job,))
    except (sqlite3.Error, pandas.errors.DatabaseError) as error:
        raise ValueError(f"{db} cannot be read as a results database of Mosaic: {error}") from error
