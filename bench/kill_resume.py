#!/usr/bin/env python3
"""Kills `mosaic` with SIGKILL at random moments, resumes it, and compares with a run that was never killed.

    bench/kill_resume.py                                  the job examples/nasbench201_by_size.toml, 20 kills
    bench/kill_resume.py JOB.toml --kills 20 --per-run 5  four runs, each killed five times
    bench/kill_resume.py JOB.toml --prepare train --prepare measure
                                                          kills fall into the search, not into the training

A kill passes if no measurement that was in the database is gone or changed afterwards ("lost"), no network was
measured twice in one metric ("twice"), and in the end evaluations, generations, fronts, predictions, all
measurements and the search's state are bit for bit those of the unbroken run ("same"). Metrics that are timings (--timed) have other
values in every run: they are held to "lost" and "twice" only. Exit status 1 if a kill does not pass.
Needs Python's standard library only.
"""

import argparse
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
REFERENCE = "latency_reference_ms"  # timed again and again on purpose


def rows(database, sql):
    """Rows of a query; none if the killed process had not made the tables yet."""
    if not database.exists():
        return []
    connection = sqlite3.connect(database)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()


def contents(database, timed):
    """What must be equal in two runs, by name."""
    hidden = ", ".join(f"'{metric}'" for metric in [REFERENCE, *timed])
    arch = "JOIN architectures a ON a.id = architecture"
    return {
        "evaluations": rows(database, f"SELECT number, a.arch FROM evaluations {arch} ORDER BY number"),
        "generations": rows(
            database, "SELECT number, evaluations, hypervolume FROM generations ORDER BY number"),
        "fronts": rows(database, f"SELECT generation, position, a.arch FROM generation_front {arch} "
                                 "ORDER BY generation, position"),
        "predictions": rows(database, "SELECT a.arch, metric, mean, deviation, predictor FROM "
                                      f"predictions {arch} ORDER BY 1, 2, 5"),
        "measurements": rows(database, "SELECT a.arch, metric, value, unit, fidelity, status, message FROM "
                                       f"measurements {arch} WHERE metric NOT IN ({hidden}) ORDER BY 1, 2, 5"),
        # Random numbers, population, models: what the next generation would be made of.
        "state": rows(database, "SELECT state FROM states WHERE phase = 'search'"),
    }


def measured(database):
    """Every measurement with its row and time of birth."""
    return set(rows(database, "SELECT id, architecture, metric, fidelity, value, created FROM measurements"))


def taken_twice(database):
    return rows(database, "SELECT architecture, metric, fidelity, count(*) FROM measurements WHERE metric != "
                          f"'{REFERENCE}' GROUP BY job, architecture, metric, fidelity HAVING count(*) > 1")


class Bench:
    def __init__(self, arguments, folder):
        self.mosaic = arguments.mosaic.resolve()
        self.job = arguments.job.resolve()
        self.command = arguments.command
        self.folder = folder
        self.prepared = folder / "prepared"
        self.prepared.mkdir()
        for command in arguments.prepare:
            self.finish(self.prepared, command)

    def fresh(self, name):
        """A folder as the preparation left it."""
        return pathlib.Path(shutil.copytree(self.prepared, self.folder / name))

    def start(self, place, command):
        """One process; `resume` where the job has begun (a finished preparation is taken further by the command)."""
        begun = rows(place / "results.db", "SELECT name FROM jobs WHERE status != 'finished'")
        words = ["resume", begun[0][0]] if begun and command == "resume" else [
            self.command if command == "resume" else command, str(self.job)]
        log = open(place / "log.txt", "ab")
        with log:
            return subprocess.Popen([self.mosaic, *words, "--db", "results.db"], cwd=place, stdout=log,
                                    stderr=log)

    def finish(self, place, command):
        """Runs to the end; gives the seconds until the work began and until it ended."""
        begin = time.monotonic()
        process = self.start(place, command)
        while process.poll() is None and not rows(place / "results.db", "SELECT 1 FROM jobs WHERE phase != 'begin'"):
            time.sleep(0.01)
        started = time.monotonic() - begin
        if process.wait() != 0:
            tail = (place / "log.txt").read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join([f"mosaic failed with status {process.returncode}:", *tail]))
        return started, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", nargs="?", type=pathlib.Path, default=ROOT / "examples/nasbench201_by_size.toml")
    parser.add_argument("--mosaic", type=pathlib.Path, default=ROOT / "build/release/bin/mosaic")
    parser.add_argument("--command", default="search", help="subcommand that is killed (default: search)")
    parser.add_argument("--prepare", action="append", default=[], help="subcommand to finish first, may be repeated")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--per-run", type=int, default=1, help="kills of one job before it may finish")
    parser.add_argument("--timed", action="append", help="metric that is a timing (default: latency_ms)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    arguments = parser.parse_args()
    timed = arguments.timed or ["latency_ms"]
    moments = random.Random(arguments.seed)
    passed = failed = number = 0

    with tempfile.TemporaryDirectory(prefix="mosaic-kill-") as name:
        bench = Bench(arguments, pathlib.Path(name))
        unbroken = bench.fresh("unbroken")
        started, seconds = bench.finish(unbroken, arguments.command)
        expected = contents(unbroken / "results.db", timed)
        print(f"unbroken run: {seconds:.1f} s ({started:.1f} s until work begins), {len(expected['evaluations'])} networks, "
              f"{len(expected['generations'])} generations, {len(measured(unbroken / 'results.db'))} measurements",
              flush=True)
        print(f"{'kill':>4} {'after s':>8} {'phase':>10} {'networks':>9} {'measured':>9} {'lost':>5} {'twice':>6}  same")

        run = 0
        while number < arguments.kills:
            run += 1
            place = bench.fresh(f"run{run}")
            database = place / "results.db"
            pending = []  # (line, measurements at the kill) of this run
            span = (seconds - started) * (1 if arguments.per_run == 1 else 2 / arguments.per_run)
            while len(pending) < arguments.per_run and number < arguments.kills:
                wait = started + moments.uniform(0, span)
                process = bench.start(place, "resume")
                try:
                    process.wait(timeout=wait)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                if process.returncode == 0:
                    break  # finished before the moment came
                if process.returncode != -signal.SIGKILL:
                    sys.exit((place / "log.txt").read_text(errors="replace"))
                number += 1
                phase = rows(database, "SELECT phase FROM jobs")
                known = measured(database)
                line = (f"{number:4} {wait:8.2f} {phase[0][0] if phase else '-':>10} "
                        f"{len(rows(database, 'SELECT 1 FROM evaluations')):9} {len(known):9}")
                pending.append((line, known))
            bench.finish(place, "resume")
            final = measured(database)
            twice = len(taken_twice(database))
            found = contents(database, timed)
            differing = [key for key in expected if found[key] != expected[key]]
            for line, known in pending:
                lost = len(known - final)
                good = not (lost or twice or differing)
                passed += good
                failed += not good
                print(f"{line} {lost:5} {twice:6}  {'yes' if not differing else 'NO: ' + ', '.join(differing)}",
                      flush=True)
            shutil.rmtree(place)

    print(f"{passed} of {passed + failed} kills passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
