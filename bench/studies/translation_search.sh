#!/usr/bin/env bash
# Study: what the best network of a search for translation reaches on sentences that nothing was chosen by. A supernet of
# small encoders and decoders is trained on Multi30k English-German and searched for perplexity against FLOPs; its most
# accurate network and the largest one are judged as inherited, trained further, and trained alone, by BLEU on the test split.
#
#   bench/studies/translation_search.sh OUT MULTI30K     MULTI30K: a folder with train.*, val.* and test_2016_flickr.* (or .gz)
#
# MOSAIC: the program. EPOCHS: passes of the supernet (default 100), ALONE: of the networks alone (default 60).
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd) data=$(cd "$2" && pwd)
mosaic=${MOSAIC:-mosaic}
cd "$out"
recipe=(beta2=0.98 weight_decay=1e-2 warmup=0.1 label_smoothing=0.1 clip=1)
cat >search.toml <<JOB
[job]
name = "search"
[space]
name = "hat-translation"
dropout_percent = 20
[task]
name = "translation"
path = "$data"
source = "en"
target = "de"
vocabulary = 8000
longest = 64
[supernet]
optimizer = "adamw"
learning_rate = 1e-3
$(printf '%s\n' "${recipe[@]}")
epochs = ${EPOCHS:-100}
batch_size = 256
[[objective]]
metric = "perplexity"
examples = 0
[[objective]]
metric = "flops"
[search]
algorithm = "nsga2"
population = 40
evaluations = 600
JOB
"$mosaic" run search.toml --db search.db >>run.log 2>&1

train() { # NETWORK OUT EPOCHS RATE OPTIONS...
  local network=$1 to=$2 epochs=$3 rate=$4
  shift 4
  [ -e "$to/config.json" ] || "$mosaic" finetune "$network" --out "$to" --epochs "$epochs" --batch-size 256 --learning-rate "$rate" \
    "${recipe[@]/#/--set=}" "$@" >>"$to.log" 2>&1
  "$mosaic" eval "$to" --split test --json >"$to.json" 2>>"$to.log"
}
for which in best largest; do
  choice=(--best perplexity)
  [ $which = largest ] && choice=(--arch largest)
  [ -e $which/config.json ] || "$mosaic" extract --db search.db "${choice[@]}" --out $which >>run.log 2>&1
  "$mosaic" eval $which --split test --json >$which.json 2>>run.log
  train $which $which-further 10 3e-4 &
  for seed in 1 2 3; do train $which $which-alone-$seed "${ALONE:-60}" 1e-3 --anew $seed & done
done
wait
for file in best*.json largest*.json; do
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print("%-20s BLEU %.2f, perplexity %.3f" % (sys.argv[1][:-5], d["bleu"], d["perplexity"]))' $file
done
