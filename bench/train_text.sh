#!/usr/bin/env bash
# Tokens a second of training a language model on the CPU: `mosaic finetune` beside eager PyTorch (bench/train_text.py),
# the same extracted network, by turns.
#
#   bench/train_text.sh MOSAIC MODEL OUT [ROUNDS]      MODEL: of a causal-lm job; PYTHON: a Python with torch and safetensors
set -euo pipefail
mosaic=$1 model=$2 out=$3 rounds=${4:-5}
here=$(dirname "${BASH_SOURCE[0]}")
batch=16
length=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['preprocessing']['tokens']['longest'])" "$model/config.json")
mkdir -p "$out"
printf 'round,mosaic,pytorch\n'
for ((round = 1; round <= rounds; ++round)); do
  rm -rf "$out/tuned"
  log=$("$mosaic" finetune "$model" --epochs 1 --optimizer adamw --learning-rate 1e-4 --batch-size $batch --device cpu --out "$out/tuned" 2>&1 | tr '\r' '\n')
  ours=$(sed -nE 's/^finetune: 100% \(([0-9,]+)\/.*took ([0-9.]+)(m?s|m).*/\1 \2 \3/p' <<<"$log" | tr -d , | tail -1)
  read -r examples seconds unit <<<"$ours"
  [[ $unit == s ]] || { echo "finetune took $seconds$unit: choose a limit that takes 10 to 60 s" >&2; exit 1; }
  theirs=$(PYTHONPATH=$here/../python OMP_WAIT_POLICY=passive "${PYTHON:-python3}" "$here/train_text.py" "$model" \
    --batch $batch --length "$length" --steps $((examples / batch)))
  awk -v r="$round" -v n="$examples" -v l="$length" -v s="$seconds" -v t="$theirs" \
    'BEGIN { printf "%d,%.0f,%.0f\n", r, n * l / s, t }'
done
