"""Mosaic's side: a table, a job file, the program, and the sequence of networks from its database."""

import csv
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

from peers import nb201

ARMS = {  # name of an arm: algorithm of the job
    "mosaic_linas": "linas",
    "mosaic_linas_random_start": "linas(extremes=0)",  # ablation: without the smallest and largest network
    "mosaic_nsga2": "nsga2",
    "mosaic_regularized_evolution": "regularized_evolution",
    "mosaic_local_search": "local_search",
    "mosaic_random": "random",
}


def write_table(task, data, folder):
    """The table of a task as a user would have it: column `arch`, and one column an objective."""
    file = pathlib.Path(folder) / f"{task.name}.csv"
    names = [column for column, _ in task.objectives]
    values = [nb201.columns(data)[name] for name in names]
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    with open(draft, "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["arch", *names])
        for network in range(nb201.NETWORKS):
            rows.writerow([nb201.text(network), *(f"{float(column[network]):.10g}" for column in values)])
    draft.replace(file)
    return file


def job_text(task, algorithm, table, budget, seed):
    objectives = "".join(f'[[objective]]\nmetric = "{column}"\ngoal = "{goal}"\n\n' for column, goal in task.objectives)
    return f"""[job]
name = "bench"
seed = {seed}

[space]
name = "nasbench201"

[evaluator]
type = "table"
file = "{table}"

{objectives}[search]
algorithm = "{algorithm}"
evaluations = {budget}
"""


def version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def run(program, algorithm, task, table, budget, seed):
    """Networks that `mosaic search` evaluated, in order."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mosaic-bench-"))
    try:
        (folder / "job.toml").write_text(job_text(task, algorithm, table.resolve(), budget, seed))
        done = subprocess.run([program, "search", "job.toml", "--db", "r.db"], cwd=folder, capture_output=True,
                              text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode != 0:
            raise RuntimeError(f"mosaic failed with status {done.returncode}: {done.stderr.strip()[-800:]}")
        return sequence(folder / "r.db")
    finally:
        shutil.rmtree(folder)


def sequence(database):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT a.arch FROM evaluations e JOIN architectures a ON a.id = e.architecture "
                                  "ORDER BY e.number").fetchall()
    finally:
        connection.close()
    return [nb201.number(nb201.parse(arch)) for (arch,) in rows]
