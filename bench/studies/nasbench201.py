#!/usr/bin/env python3
"""Study: which way of sharing weights ranks the cells of NAS-Bench-201 best?

  nasbench201.py jobs OUT --data CIFAR10 --table nasbench201.csv.gz     writes the job files

Each is run by `mosaic rank OUT/ARM.toml --db OUT/ARM.db`, in any order, interrupted at will; it prints the
table of the arm (1,000 random cells, and the 100 best apart) beside parameters, effective parameters and FLOPs.
The table needs the columns `arch` and `cifar10_test_200ep`.
"""

import argparse
import os

# name: the [supernet] keys that make the arm
ARMS = {
    "plain": 'router = "plain"',
    "growth-1.5": 'router = "grown"\nbudget = 1.5',
    "random-growth-1.5": 'router = "grown"\nbudget = 1.5\ngrow_slots = "random"\ngrow_questions = "random"',
    "layer-wise-m2": 'router = "layer-wise"\nexperts = 2',
    "stratified": 'router = "plain"\nsampler = "stratified(by=relu)"',
    "gradient-split-4": 'router = "partition"\nsplit = "gradient"\nsplit_at = [0.15, 0.3]\nsplit_repeats = 50',
    "random-split-4": 'router = "partition"\nsplit = "random"\nsplit_at = [0.15, 0.3]',
    "pada": 'router = "plain"\nsampler = "importance"',
}


def job(name, supernet, options):
    return f"""[job]
name = "{name}"
seed = 1
device = "{options.device}"

[space]
name = "nasbench201"
channels = {options.channels}
cells = {options.cells}

[task]
name = "cifar10"
path = "{options.data}"
validation = 0.5
limit = {options.limit}

[supernet]
{supernet}
epochs = {options.epochs}
batch_size = 128
learning_rate = {options.rate}
weight_decay = 5e-4
autotune = true

[rank]
networks = {options.networks}
supernets = {options.seeds}
images = {options.images}
calibration = 1024

[rank.truth]
file = "{os.path.abspath(options.table)}"
column = "cifar10_test_200ep"
best = {options.best}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs = parser.add_subparsers(dest="what", required=True).add_parser("jobs")
    jobs.add_argument("out")
    jobs.add_argument("--data", required=True, help="folder of CIFAR-10")
    jobs.add_argument("--table", required=True, help="CSV of NAS-Bench-201")
    jobs.add_argument("--device", default="cuda")
    jobs.add_argument("--channels", type=int, default=8)
    jobs.add_argument("--cells", type=int, default=5, help="of a stage")
    jobs.add_argument("--epochs", type=int, default=100, help="on half of the training images")
    jobs.add_argument("--rate", type=float, default=0.1)
    jobs.add_argument("--seeds", type=int, default=3)
    jobs.add_argument("--networks", type=int, default=1000)
    jobs.add_argument("--best", type=int, default=100)
    jobs.add_argument("--images", type=int, default=10000, help="validation images that score a network; 0: all")
    jobs.add_argument("--limit", type=int, default=0, help="training and validation images; 0: all")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for name, supernet in ARMS.items():
        with open(f"{options.out}/{name}.toml", "w") as f:
            f.write(job(name, supernet, options))


if __name__ == "__main__":
    main()
