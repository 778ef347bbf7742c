#!/bin/bash
# One piece of a study, on a machine that may go away: runs jobs for so many seconds, and packs what the next piece goes on
# from, on another machine if need be.
#
#   piece.sh JOBS PACKED SECONDS MOSAIC "a,b c" ["d,e"]
#
# JOBS: folder of job files (NAME.toml) and, later, NAME.db. One argument for each GPU: lists run side by side there, the
# jobs of a list one after the other. Names that begin with "truth" train networks alone, the others supernets.
# PACKED: where files of at most 15 MiB are written (databases, answers, checkpoints of what is unfinished). A next piece
# begins with: cat PACKED/piece.* | tar xz -C JOBS
set -u
if [ $# -lt 5 ]; then sed -n '2,11p' "$0" | cut -c3-; exit 2; fi
mkdir -p "$2" || exit 1
jobs=$(cd "$1" && pwd) packed=$(cd "$2" && pwd) end=$(( $(date +%s) + $3 )) mosaic=$4
shift 4
finished() { tail -1 "$jobs/$1.log" 2>/dev/null | grep -q 'recorded in'; }
gpu=0
for lists in "$@"; do
  for list in $lists; do
    (
      for job in ${list//,/ }; do
        only=scores; case $job in truth*) only=truth ;; esac
        finished "$job" && continue # in an earlier piece
        left=$(( end - $(date +%s) )); [ $left -lt 20 ] && break
        CUDA_VISIBLE_DEVICES=$gpu timeout -s INT $left "$mosaic" rank "$jobs/$job.toml" --db "$jobs/$job.db" --only $only >> "$jobs/$job.log" 2>&1
        echo "$job: exit $?, $(grep -v % "$jobs/$job.log" | tail -1 | cut -c1-150)"
      done
    ) &
  done
  gpu=$((gpu + 1))
done
wait
# A finished truth has removed its checkpoint; a finished supernet's is needed no more.
cd "$jobs" || exit 1
find . \( -name '*.db' -o -name '*.log' -o -name 'answers-*' -o -name 'alone-*' \) -print > packed.txt
for checkpoint in $(find . -name supernets.safetensors); do
  name=$(basename "$(dirname "$checkpoint")")
  finished "$name" || echo "$checkpoint" >> packed.txt
done
tar czf - -T packed.txt | split -b 15M - "$packed/piece."
ls -l "$packed"
