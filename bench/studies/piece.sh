#!/bin/bash
# One piece of a study, on a machine that may go away: runs jobs for so many seconds, and packs what the next piece goes on
# from, on another machine if need be.
#
#   piece.sh JOBS PACKED SECONDS MOSAIC WORKERS JOB...
#
# JOBS: folder of job files (NAME.toml, also in folders below) and, later, NAME.db. WORKERS: the GPU of each worker, such
# as 0,1 or, with two side by side on each, 0,0,1,1; a worker takes the next job as soon as it is free. Jobs that an
# earlier piece finished are passed over.
# Names that begin with "truth" train networks alone, the others supernets.
# PACKED: where files of at most 15 MiB are written (databases, answers, checkpoints of what is unfinished). A next piece
# begins with: cat PACKED/piece.* | tar xz -C JOBS
set -u
if [ $# -lt 6 ]; then sed -n '2,12p' "$0" | cut -c3-; exit 2; fi
mkdir -p "$2" || exit 1
jobs=$(cd "$1" && pwd) packed=$(cd "$2" && pwd) end=$(( $(date +%s) + $3 )) mosaic=$4 workers=$5
shift 5
finished() { [ -e "$jobs/$1.done" ]; }

run() { # GPU JOB
  local only="--only scores" begin=$(date +%s) status
  case $2 in truth* | */truth*) only="--only truth" ;; esac
  grep -q '^file = ' "$jobs/$2.toml" && only="" # the truth is a table: rank at once
  CUDA_VISIBLE_DEVICES=$1 timeout --foreground -s INT $(( end - begin )) \
    "$mosaic" rank "$jobs/$2.toml" --db "$jobs/$2.db" --page "$jobs/$2.html" $only >> "$jobs/$2.log" 2>&1
  status=$?
  [ $status = 0 ] && touch "$jobs/$2.done"
  echo "GPU $1, $2: exit $status, $(( $(date +%s) - begin )) s, $(grep -v % "$jobs/$2.log" | tail -n 1 | cut -c1-150)"
}

taken=$(mktemp -d)
for gpu in ${workers//,/ }; do
  (
    i=0
    for job in "$@"; do
      [ $(( end - $(date +%s) )) -lt 20 ] && break
      mkdir "$taken/$(( ++i ))" 2>/dev/null || continue # another worker has it
      finished "$job" || run $gpu "$job"
    done
  ) &
done
wait
rm -rf "$taken"
# A finished truth has removed its checkpoint; a finished supernet's is needed no more.
cd "$jobs" || exit 1
find . \( -name '*.db' -o -name '*.log' -o -name '*.done' -o -name 'answers-*' -o -name 'alone-*' \) -print > packed.txt
for checkpoint in $(find . -name supernets.safetensors); do
  finished "${checkpoint%-files/*}" || echo "$checkpoint" >> packed.txt
done
rm -f "$packed"/piece.*
tar czf - -T packed.txt | split -b 15M - "$packed/piece."
ls -l "$packed"
