#!/usr/bin/env python3
"""Study: does a mixture of supernets bring inherited BLEU and cross-entropy nearer to the truth, in translation?

  translation.py jobs OUT --data MULTI30K     writes a job file an arm, one for the truth, and run.sh, which runs them
  translation.py table OUT                    reads what run.sh left there: the table of docs/studies/translation.md

The networks are 30 random ones of a small hat-translation space, each trained alone with two seeds. The supernets of all
arms see the same number of examples: one that trains three networks a step (sandwich) has a third of the steps.
run.sh runs everything at the same time on one GPU, may be interrupted and goes on. Only the standard library is needed."""

import argparse
import json
import os

# name: [supernet] keys, and its share of the steps.
ARMS = {
    "plain-uniform": ('sharing = "plain"', 1),
    "plain-sandwich": ('sharing = "plain"\nsampler = "sandwich(random=1)"', 1 / 3),
    "layer-wise-ffn": ('sharing = "layer-wise"\ncopies = 2\nrouted = "ffn"', 1),
    "neuron-wise-ffn": ('sharing = "neuron-wise"\ncopies = 2\nrouted = "ffn"', 1),
    "layer-wise-all": ('sharing = "layer-wise"\ncopies = 2', 1),
    "neuron-wise-all": ('sharing = "neuron-wise"\ncopies = 2', 1),
    "neuron-wise-ffn-sandwich": ('sharing = "neuron-wise"\ncopies = 2\nrouted = "ffn"\nsampler = "sandwich(random=1)"', 1 / 3),
}


def job(name, data, supernet, epochs, a):
    return f"""[job]
name = "{name}"
device = "cuda"

[space]
name = "hat-translation"
dropout_percent = {a.dropout}

[task]
name = "translation"
path = "{data}"
source = "en"
target = "de"
vocabulary = 4000
longest = 64

[supernet]
{supernet}
optimizer = "adamw"
learning_rate = {a.rate}
beta2 = 0.98
weight_decay = 1e-2
warmup = 0.1
label_smoothing = 0.1
clip = 1
epochs = {max(1, round(epochs))}
batch_size = {a.batch}

[rank]
networks = {a.networks}
supernets = {a.supernets}
together = {a.together}

[rank.truth]
seeds = {a.truth_seeds}
split = "validation"
metric = "bleu"
optimizer = "adamw"
learning_rate = {a.truth_rate}
beta2 = 0.98
weight_decay = 1e-2
warmup = 0.1
label_smoothing = 0.1
clip = 1
epochs = {a.truth_epochs}
batch_size = {a.batch}
"""


RUN = """#!/usr/bin/env bash
# Everything at the same time; then what each arm's scores say of the truth. MOSAIC: the program.
cd "$(dirname "$0")"
mosaic=${MOSAIC:-mosaic}
"$mosaic" rank truth.toml --db truth.db --only truth >truth.log 2>&1 &
for arm in ARMS; do
  "$mosaic" rank $arm.toml --db $arm.db --only scores >$arm.log 2>&1 &
done
wait
rm -f all.db*
"$mosaic" merge all.db truth.db $(for arm in ARMS; do echo $arm.db; done)
for arm in ARMS; do
  for metric in bleu loss; do
    "$mosaic" rank $arm.toml --db all.db --json --set job.name=$arm-$metric --set rank.truth.metric=$metric \\
      >$arm-$metric.json 2>$arm-$metric.err
  done
done
"""


def write_jobs(a):
    os.makedirs(a.out, exist_ok=True)
    data = os.path.relpath(a.data, a.out)
    for name, (supernet, share) in ARMS.items():
        with open(f"{a.out}/{name}.toml", "w") as f:
            f.write(job(name, data, supernet, a.epochs * share, a))
    with open(f"{a.out}/truth.toml", "w") as f:
        f.write(job("truth", data, 'sharing = "plain"', 1, a))
    with open(f"{a.out}/run.sh", "w") as f:
        f.write(RUN.replace("ARMS", " ".join(ARMS)))
    os.chmod(f"{a.out}/run.sh", 0o755)


def scores_of(path):
    """name -> score of what `mosaic rank --json` printed; the truth's networks."""
    with open(path) as f:
        result = json.load(f)
    return {score["name"]: score for score in result["scores"]}, result["networks"]


def cell(score, key, digits):
    over = score["over_seeds"][key]
    if over["mean"] is None:
        return "-"
    half = "" if over["high"] is None or len(score["values"]) < 2 else f" ± {(over['high'] - over['low']) / 2:.{digits}f}"
    return f"{over['mean']:.{digits}f}{half}"


def print_table(out):
    """Means over the supernets' seeds, with half of their 95% interval."""
    print("| arm | error, BLEU | τ, BLEU | regret, BLEU | error, cross-entropy | τ, cross-entropy |")
    print("|---|---|---|---|---|---|")
    last = {}
    for arm in ARMS:
        try:
            found = {metric: scores_of(f"{out}/{arm}-{metric}.json")[0] for metric in ("bleu", "loss")}
        except (OSError, ValueError) as error:
            print(f"| {arm} | {error} |")
            continue
        bleu = found["bleu"]["inherited BLEU"]
        loss = next(s for name, s in found["loss"].items() if s["same_scale"])
        print(f"| {arm} | {cell(bleu, 'mean_absolute_error', 2)} | {cell(bleu, 'kendall', 3)} | {cell(bleu, 'regret', 2)} | "
              f"{cell(loss, 'mean_absolute_error', 3)} | {cell(loss, 'kendall', 3)} |")
        last = found
    for name in ("parameters", "FLOPs"):
        if last:
            of = {metric: last[metric][name] for metric in ("bleu", "loss")}
            print(f"| {name} | | {cell(of['bleu'], 'kendall', 3)} | {cell(of['bleu'], 'regret', 2)} | | {cell(of['loss'], 'kendall', 3)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    jobs = commands.add_parser("jobs")
    jobs.add_argument("out")
    jobs.add_argument("--data", required=True)
    jobs.add_argument("--networks", type=int, default=30)
    jobs.add_argument("--supernets", type=int, default=3)
    jobs.add_argument("--truth-seeds", type=int, default=2)
    jobs.add_argument("--together", type=int, default=10)
    jobs.add_argument("--epochs", type=float, default=60)
    jobs.add_argument("--truth-epochs", type=int, default=24)
    jobs.add_argument("--batch", type=int, default=512)
    jobs.add_argument("--rate", type=float, default=1e-3)
    jobs.add_argument("--truth-rate", type=float, default=4e-3)
    jobs.add_argument("--dropout", type=int, default=20)
    table = commands.add_parser("table")
    table.add_argument("out")
    a = parser.parse_args()
    if a.command == "jobs":
        write_jobs(a)
    else:
        print_table(a.out)


if __name__ == "__main__":
    main()
