#!/usr/bin/env bash
# Study: SST-2 from running text alone. A supernet of small BERTs guesses words that were taken out of English text, one of
# the same space begins with its weights and learns SST-2, is searched for accuracy against latency on one CPU thread, and
# networks of the front are extracted and trained further. Beside it the same without the running text.
#
#   bench/studies/sst2.sh OUT ENGLISH SST2     ENGLISH: a folder with train.txt; SST2: one with train.tsv and dev.tsv (or .gz)
#
# MOSAIC: the program. WORD_EPOCHS: passes over the running text (12). DROPOUT: in percent (10). RATES: learning rates of
# further training (1e-4 3e-4). May be interrupted and goes
# on. About six minutes on an H200. The test split is SST-2's dev set, which nothing is chosen by.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd) english=$(cd "$2" && pwd) sst2=$(cd "$3" && pwd)
mosaic=${MOSAIC:-mosaic}
cd "$out"

cat >words.toml <<JOB
[job]
name = "words"
[space]
name = "bert"
longest = 64
dropout_percent = ${DROPOUT:-10}
[task]
name = "masked-lm"
path = "$english"
vocabulary = 8000
longest = 64
[supernet]
sampler = "sandwich(random=1)"
optimizer = "adamw"
learning_rate = 1e-3
beta2 = 0.98
weight_decay = 1e-2
clip = 1
warmup = 0.1
epochs = ${WORD_EPOCHS:-12}
batch_size = 256
[[objective]]
metric = "perplexity"
examples = 500
[[objective]]
metric = "flops"
[search]
algorithm = "random"
population = 8
evaluations = 8
JOB

sentences() { # NAME LINES-OF-[supernet] LINES-OF-[task]
  cat <<JOB
[job]
name = "$1"
[space]
name = "bert"
longest = 64
dropout_percent = ${DROPOUT:-10}
[task]
name = "text-classification"
path = "$sst2"
vocabulary = 8000
longest = 64
validation = 0.05
$3
[supernet]
$2
sampler = "sandwich(random=1)"
optimizer = "adamw"
learning_rate = 5e-4
weight_decay = 1e-2
clip = 1
warmup = 0.1
epochs = 4
batch_size = 128
[[objective]]
metric = "accuracy"
examples = 0
[[objective]]
metric = "latency_ms"
samples = 40
[search]
algorithm = "nsga2"
population = 32
evaluations = 256
JOB
}
sentences begun 'begin_with = "words-files/words"' 'tokenizer = "words-files/words/tokenizer.model"' >begun.toml
sentences drawn '' '' >drawn.toml

finish() { # JOB: networks of its front, as they are and trained further
  "$mosaic" front --db $1.db --json >$1-front.json
  for pick in accuracy latency_ms; do
    [ -e $1-$pick/config.json ] || "$mosaic" extract --db $1.db --best $pick --out $1-$pick >>$1.log 2>&1
    "$mosaic" eval $1-$pick --split test --json >$1-$pick-inherited.json 2>>$1.log
    for rate in ${RATES:-1e-4 3e-4}; do
      [ -e $1-$pick-$rate/config.json ] || "$mosaic" finetune $1-$pick --epochs 3 --batch-size 64 --learning-rate $rate --out $1-$pick-$rate >>$1.log 2>&1
      for split in validation test; do
        "$mosaic" eval $1-$pick-$rate --split $split --json >$1-$pick-$rate-$split.json 2>>$1.log
      done
    done
  done
}

( "$mosaic" run drawn.toml --db drawn.db >drawn.log 2>&1; finish drawn ) &
"$mosaic" run words.toml --db words.db >words.log 2>&1
"$mosaic" run begun.toml --db begun.db >begun.log 2>&1
finish begun
wait
grep -H . *-inherited.json *-validation.json *-test.json
