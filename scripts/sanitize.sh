#!/usr/bin/env bash
# Builds and runs the tests that do without LibTorch under sanitizers: all of them for addresses and undefined
# behaviour, those of the database and the search for threads.
#
#   scripts/sanitize.sh [PRESET...]      PRESET: asan-fast, tsan (default: both)
set -euo pipefail
script_name=sanitize
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

presets=("$@")
[[ $# -gt 0 ]] || presets=(asan-fast tsan)
for preset in "${presets[@]}"; do
  case "$preset" in
    asan-fast) rooms=(core spaces db evaluators predictors search conformance fuzz) ;;
    tsan) rooms=(db search) ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) die "unknown preset $preset: asan-fast or tsan" ;;
  esac
  begin=$SECONDS
  say "$preset: ${rooms[*]}"
  targets=("${rooms[@]/#/test_}")
  build_preset "$preset" "${targets[@]}"
  ctest --preset "$preset" -j "$(nproc)" -LE 'slow|gpu' -R "^($(IFS='|'; echo "${rooms[*]}"))"
  say "$preset: $((SECONDS - begin)) s"
done
say "all passed"
