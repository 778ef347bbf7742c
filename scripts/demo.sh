#!/usr/bin/env bash
# The whole chain on Fashion-MNIST: set-up, the program's build, then train a mixture-of-supernets, search it,
# print the Pareto front, extract the most accurate network under a latency cap, check it, train it
# a little further, test it once, and write a report. On the GPU where there is one, else the CPU.
#
#   scripts/demo.sh               a first front from a third of the images, in about three minutes: examples/fashion_first.toml
#   scripts/demo.sh --full        the front of the README, in about ten minutes: examples/fashion.toml
#   scripts/demo.sh JOB.toml      that of another job
#
# All results go to demo/.
set -euo pipefail
script_name=demo
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

job_file=examples/fashion_first.toml
epochs=1
case "${1:-}" in
  "") ;;
  -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  --full) job_file=examples/fashion.toml; epochs=3 ;;
  -*) die "unknown option $1 (see --help)" ;;
  *) job_file=$1; epochs=3 ;;
esac
[[ -e $job_file ]] || die "there is no job file $job_file"
out=demo
[[ ${MOSAIC_SKIP_SETUP:-0} == 1 ]] || scripts/setup.sh
preset=$(machine_preset)
say "building the program (preset $preset)"
build_preset "$preset" bin/mosaic
mosaic=$PWD/build/$preset/bin/mosaic

rm -rf "$out"
mkdir -p "$out"
job=$(sed -n 's/^name *= *"\(.*\)".*/\1/p' "$job_file" | head -1)
db=$out/results.db
begin=$SECONDS
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} # threads that spin while they wait are slow on a shared machine

step() { printf '\n== %s\n\n' "$*"; }

step "Train, measure, search: mosaic run $job_file"
"$mosaic" run "$job_file" --db "$db" --report "$out/report.html"

"$mosaic" front --job "$job" --db "$db" --json >"$out/front.json"

# The cap: the middle of the latencies on the front.
cap=$(python3 -c '
import json, sys
latencies = sorted(n["metrics"]["latency_ms"] for n in json.load(open(sys.argv[1])))
print("%.3f" % (latencies[len(latencies) // 2] * 1.001))' "$out/front.json")

step "The most accurate network under $cap ms"
"$mosaic" extract --job "$job" --db "$db" --max "latency_ms=$cap" --best accuracy --out "$out/subnet"
"$mosaic" eval "$out/subnet" --split validation

step "Train it further, and test it once"
"$mosaic" finetune "$out/subnet" --epochs "$epochs" --out "$out/subnet-finetuned"
"$mosaic" eval "$out/subnet-finetuned" --split test

step "The report"
"$mosaic" report --job "$job" --db "$db" --out "$out/report.html"
say "done in $((SECONDS - begin)) s after the build: $db, $out/subnet-finetuned, $out/report.html"
