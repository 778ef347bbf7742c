#!/usr/bin/env bash
# Sets the machine up, builds, checks format and include rules, and runs all tests but those that
# need a GPU. Works on a fresh Debian 12; ends with the summary of the tests; exit status 0 only
# when everything passed. Says which tests were skipped for want of data, programs or a GPU;
# MOSAIC_REQUIRE_DATA=1, MOSAIC_REQUIRE_TOOLS=1 and MOSAIC_REQUIRE_GPU=1 make such a skip a failure.
#
#   scripts/test.sh [PRESET] [-- CTEST OPTIONS]      PRESET: release (default), debug, asan, tsan, cuda
set -euo pipefail
script_name=test
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=release
if [[ $# -gt 0 && $1 != -* ]]; then
  preset=$1
  shift
fi
[[ ${1:-} == -- ]] && shift

if [[ ${MOSAIC_SKIP_SETUP:-0} != 1 ]]; then
  scripts/setup.sh --with-chromium
fi
build_preset "$preset"

failed=0
scripts/check.sh --fast || failed=1
skipped=build/$preset/skipped.txt
rm -f "$skipped"
ctest --preset "$preset" -j "$(nproc)" "$@" || failed=1
if [[ -s $skipped ]]; then
  say "skipped: $(wc -l <"$skipped")"
  sed 's/^/  /' "$skipped"
fi
[[ $failed == 0 ]] || die "something above failed"
say "all passed"
