#!/usr/bin/env python3
"""Study: does a mixture of supernets bring inherited BLEU and cross-entropy nearer to the truth, in translation?

  translation.py jobs OUT --data MULTI30K     writes a job file an arm, one for the truth, and run.sh, which runs them
  translation.py table OUT/*.db               the table of docs/studies/translation.md (.csv.gz files do as well)
  translation.py scores OUT/*.db --out CSV.gz    what it is made of, a row a score

The networks are random ones of a small hat-translation space, each trained alone with two seeds. The supernets of all
arms see the same number of examples: one that trains three networks a step (sandwich) has a third of the steps.
run.sh runs everything at the same time on one GPU, may be interrupted and goes on. Only the standard library is needed."""

import argparse
import csv
import gzip
import os

from ranking import interval, regret, rows, tau_b, text_of

# name: [supernet] keys, and its share of the steps.
ARMS = {
    "plain-uniform": ('sharing = "plain"', 1),
    "plain-sandwich": ('sharing = "plain"\nsampler = "sandwich(random=1)"', 1 / 3),
    "plain-sandwich-long": ('sharing = "plain"\nsampler = "sandwich(random=1)"', 1),
    "layer-wise-ffn": ('sharing = "layer-wise"\ncopies = 2\nrouted = "ffn"', 1),
    "neuron-wise-ffn": ('sharing = "neuron-wise"\ncopies = 2\nrouted = "ffn"', 1),
    "layer-wise-all": ('sharing = "layer-wise"\ncopies = 2', 1),
    "neuron-wise-all": ('sharing = "neuron-wise"\ncopies = 2', 1),
    "neuron-wise-ffn-sandwich": ('sharing = "neuron-wise"\ncopies = 2\nrouted = "ffn"\nsampler = "sandwich(random=1)"', 1 / 3),
}


def recipe(rate, epochs, batch):
    """How supernets and networks alone are trained."""
    return f"""optimizer = "adamw"
learning_rate = {rate}
beta2 = 0.98
weight_decay = 1e-2
warmup = 0.1
label_smoothing = 0.1
clip = 1
epochs = {epochs}
batch_size = {batch}
"""


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
{recipe(a.rate, max(1, round(epochs)), a.batch)}
[rank]
networks = {a.networks}
supernets = {a.supernets}
together = {a.together}

[rank.truth]
seeds = {a.truth_seeds}
split = "validation"
metric = "bleu"
{recipe(a.truth_rate, a.truth_epochs, a.truth_batch)}"""


RUN = """#!/usr/bin/env bash
# Everything at the same time. MOSAIC: the program.
cd "$(dirname "$0")"
mosaic=${MOSAIC:-mosaic}
"$mosaic" rank truth.toml --db truth.db --only truth >truth.log 2>&1 &
for arm in ARMS; do
  "$mosaic" rank $arm.toml --db $arm.db --only scores >$arm.log 2>&1 &
done
wait
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


def counts(arch, vocabulary=4000, encoder_layers=3, head_size=64, source=17, target=18):
    """Parameters and multiply-accumulates of a network of the small space, by arithmetic of its own."""
    gene = dict(part.split("=") for part in arch.split(","))
    get = lambda key: int(gene[key])
    parameters = flops = 0

    def linear(inputs, outputs, length):
        nonlocal parameters, flops
        parameters += inputs * outputs + outputs
        flops += inputs * outputs * length

    def attention(width, memory, heads, queries, keys):
        nonlocal flops
        inner = heads * head_size
        linear(width, inner, queries)
        linear(memory, inner, keys)
        linear(memory, inner, keys)
        linear(inner, width, queries)
        flops += 2 * queries * keys * inner

    encoder, decoder = get("encoder.width"), get("decoder.width")
    parameters += vocabulary * max(encoder, decoder)
    flops += vocabulary * decoder * target
    for i in range(encoder_layers):
        name = f"encoder.layer{i}"
        attention(encoder, encoder, get(f"{name}.attention.heads"), source, source)
        linear(encoder, get(f"{name}.inner"), source)
        linear(get(f"{name}.inner"), encoder, source)
        parameters += 4 * encoder
    for i in range(get("decoder.depth")):
        name = f"decoder.layer{i}"
        attention(decoder, decoder, get(f"{name}.attention.heads"), target, target)
        attention(decoder, encoder, get(f"{name}.cross.heads"), target, source * get(f"{name}.attended_layers"))
        linear(decoder, get(f"{name}.inner"), target)
        linear(get(f"{name}.inner"), decoder, target)
        parameters += 6 * decoder
    return parameters, flops


def measurements(paths):
    """(job, arch, metric, value, seed) of databases, or of CSV files that `scores` wrote."""
    for path in (path for path in paths if path.endswith(".csv.gz")):
        with gzip.open(path, "rt", newline="") as f:
            for row in csv.DictReader(f):
                yield row["job"], row["arch"], row["metric"], float(row["value"]), row["seed"]
    yield from rows(
        [path for path in paths if not path.endswith(".csv.gz")],
        "SELECT j.name, a.arch, m.metric, m.value, m.seed FROM measurements m JOIN jobs j ON j.id = m.job "
        "JOIN architectures a ON a.id = m.architecture WHERE m.status = 'ok' ORDER BY m.id")


def write_scores(paths, out):
    with gzip.open(out, "wt", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["job", "arch", "metric", "seed", "value"])
        for job_name, arch, metric, value, seed in measurements(paths):
            if metric.removeprefix("standalone_") in ("bleu", "loss"):
                writer.writerow([job_name, arch, metric, seed, f"{value:.5f}"])


def read(paths, truth_path):
    """truth: metric -> arch -> [values]; arms: name -> metric -> seed -> arch -> value."""
    truth, arms = {}, {}
    for path, (name, arch, metric, value, seed) in ((p, row) for p in paths for row in measurements([p])):
        if metric.startswith("standalone_"):
            if truth_path and path != truth_path:
                continue
            truth.setdefault(metric.removeprefix("standalone_"), {}).setdefault(arch, []).append(value)
        else:
            arms.setdefault(name, {}).setdefault(metric, {}).setdefault(int(seed), {})[arch] = value
    return truth, arms


def print_table(paths, truth_path=None):
    """Over the networks whose truth is known and that every supernet of an arm scored."""
    truth, arms = read(paths, truth_path)
    known = [arch for arch, values in truth["bleu"].items() if len(values) == max(map(len, truth["bleu"].values()))]
    mean = {metric: {arch: sum(of[arch]) / len(of[arch]) for arch in known} for metric, of in truth.items()}
    print(f"{len(known)} networks, each alone with {len(truth['bleu'][known[0]])} seeds")
    for metric, digits in (("bleu", 2), ("loss", 3)):
        values = sorted(mean[metric].values())
        print(f"truth, {metric}: {values[0]:.{digits}f} to {values[-1]:.{digits}f}")
        if len(truth[metric][known[0]]) < 2:
            continue
        noise = [abs(a - b) for a, b, *_ in (truth[metric][arch] for arch in known)]
        print(f"two seeds of a network differ by "
              f"{sum(noise) / len(noise):.{digits}f} on average; τ between them "
              f"{tau_b([truth[metric][a][0] for a in known], [truth[metric][a][1] for a in known]):.3f}")
    print("\n| arm | inherited BLEU | error, BLEU | τ, BLEU | regret, BLEU | error, cross-entropy | τ, cross-entropy "
          "| error of BLEU less its mean |\n|---|---|---|---|---|---|---|---|")
    for arm in sorted(arms, key=lambda name: list(ARMS).index(name) if name in ARMS else 99):
        by_metric = arms[arm]
        if any(len(of) < 3 or any(set(known) - set(one) for one in of.values()) for of in (by_metric["bleu"], by_metric["loss"])):
            continue
        cells = {}
        for metric, sign in (("bleu", 1), ("loss", -1)):
            t = [mean[metric][arch] for arch in known]
            for seed, of_arch in by_metric[metric].items():
                score = [of_arch[arch] for arch in known]
                shift = sum(a - b for a, b in zip(score, t)) / len(t)
                for key, value in (
                    ("level", sum(score) / len(score)),
                    ("error", sum(abs(a - b) for a, b in zip(score, t)) / len(t)),
                    ("shape", sum(abs(a - b - shift) for a, b in zip(score, t)) / len(t)),
                    ("tau", tau_b([sign * x for x in t], [sign * x for x in score])),
                    ("regret", regret([sign * x for x in t], [sign * x for x in score])),
                ):
                    cells.setdefault((metric, key), []).append(value)
        of = lambda metric, key, digits: text_of(interval(cells[metric, key]), digits)
        print(f"| {arm} | {of('bleu', 'level', 1)} | {of('bleu', 'error', 2)} | {of('bleu', 'tau', 3)} | {of('bleu', 'regret', 2)} | "
              f"{of('loss', 'error', 3)} | {of('loss', 'tau', 3)} | {of('bleu', 'shape', 2)} |")
    for i, name in enumerate(("parameters", "FLOPs")):
        score = [counts(arch)[i] for arch in known]
        taus = [tau_b([sign * mean[metric][arch] for arch in known], score) for metric, sign in (("bleu", 1), ("loss", -1))]
        print(f"| {name} | | | {taus[0]:.3f} | {regret([mean['bleu'][a] for a in known], score):.2f} | | {taus[1]:.3f} | |")


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
    jobs.add_argument("--epochs", type=float, default=100)
    jobs.add_argument("--truth-epochs", type=int, default=20)
    jobs.add_argument("--batch", type=int, default=256)
    jobs.add_argument("--rate", type=float, default=7e-4)
    jobs.add_argument("--truth-batch", type=int, default=512)
    jobs.add_argument("--truth-rate", type=float, default=4e-3)
    jobs.add_argument("--dropout", type=int, default=20)
    table = commands.add_parser("table")
    table.add_argument("databases", nargs="+")
    table.add_argument("--truth", help="the one of them whose networks alone are the truth; else all")
    scores = commands.add_parser("scores")
    scores.add_argument("databases", nargs="+")
    scores.add_argument("--out", required=True)
    a = parser.parse_args()
    if a.command == "jobs":
        write_jobs(a)
    elif a.command == "scores":
        write_scores(a.databases, a.out)
    else:
        print_table(a.databases, a.truth)


if __name__ == "__main__":
    main()
