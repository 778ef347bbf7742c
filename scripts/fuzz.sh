#!/usr/bin/env bash
# Throws inputs at the readers of files and texts, under address and undefined-behaviour sanitizers, until
# one breaks or the time is over. Needs clang 14: scripts/setup.sh --with-fuzzing
#
#   scripts/fuzz.sh [TARGET|all] [SECONDS]      TARGET: a file of tests/fuzz/, as csv (default: all, 60 s each)
#
# It begins with tests/fuzz/corpus/TARGET and keeps what it learns in build/fuzz/corpus/TARGET. An input that breaks
# the reader is left in build/fuzz/finds/: mend the reader, and copy the input to tests/fuzz/corpus/TARGET,
# which every run of the tests replays.
set -euo pipefail
script_name=fuzz
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case "${1:-}" in
  -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
esac
target=${1:-all}
seconds=${2:-60}
mapfile -t known < <(basename -s .cpp tests/fuzz/*.cpp | grep -vE '^(target|replay)$')
names=()
for name in "${known[@]}"; do
  if [[ $target == all || $target == "${name%_torch}" ]]; then names+=("$name"); fi
done
[[ ${#names[@]} -gt 0 ]] || die "no target $target: one of ${known[*]%_torch}"
command -v clang++-14 >/dev/null || die "no clang++-14: run scripts/setup.sh --with-fuzzing"

for name in "${names[@]}"; do
  preset=fuzz
  [[ $name == *_torch ]] && preset=fuzz-torch
  name=${name%_torch}
  build_preset "$preset" "fuzz_$name"
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/finds
  say "$name: $seconds s"
  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
    "build/$preset/bin/fuzz_$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/finds/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" ||
    die "$name: a find in build/fuzz/finds/"
done
say "no find"
