#!/usr/bin/env bash
# Builds and runs the tests that do without LibTorch under sanitizers: all of them for addresses and undefined
# behaviour, those of the database and the search for threads.
#
#   scripts/sanitize.sh [--quick] [PRESET...]      PRESET: asan-fast, tsan (default: both)
#
#   --quick   the lowest rooms alone, in some minutes: core, spaces and db, for threads db
set -euo pipefail
script_name=sanitize
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

quick=0
presets=()
for argument in "$@"; do
  case "$argument" in
    --quick) quick=1 ;;
    asan-fast | tsan) presets+=("$argument") ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) die "unknown preset $argument: asan-fast or tsan" ;;
  esac
done
[[ ${#presets[@]} -gt 0 ]] || presets=(asan-fast tsan)

for preset in "${presets[@]}"; do
  built="" # all rooms
  if [[ $preset == tsan ]]; then tests=(db search); else
    tests=(core spaces db evaluators predictors search conformance fuzz)
  fi
  if [[ $quick == 1 ]]; then
    built="core;spaces;db"
    if [[ $preset == tsan ]]; then tests=(db); else tests=(core spaces db); fi
  fi
  begin=$SECONDS
  say "$preset: ${tests[*]}"
  cmake --preset "$preset" "-DMOSAIC_ONLY_ROOMS=$built" >/dev/null
  build_preset "$preset" "${tests[@]/#/test_}"
  ctest --preset "$preset" -j "$(nproc)" -LE 'slow|gpu' -R "^($(IFS='|'; echo "${tests[*]}"))"
  say "$preset: $((SECONDS - begin)) s"
done
say "all passed"
