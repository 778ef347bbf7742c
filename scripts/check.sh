#!/usr/bin/env bash
# Checks the sources: format, include rules of the rooms, clang-tidy.
#
#   scripts/check.sh           clang-tidy on the files changed against the base revision
#   scripts/check.sh --all     clang-tidy on all files (30 s for a file that includes torch)
#   scripts/check.sh --fast    no clang-tidy
#   scripts/check.sh --fix     formats the sources in place, then checks as --fast does
#   scripts/check.sh --base REVISION   what "changed" is against (default: origin/main, else HEAD~1)
set -euo pipefail
script_name=check
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mode=changed
base=""
while [[ $# -gt 0 ]]; do
  case "$1" in
    --all) mode=all ;;
    --fast) mode=fast ;;
    --fix) mode=fix ;;
    --base) base=${2:?--base needs a revision}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) printf 'check: unknown option %s (see --help)\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

problems=0
complain() { printf 'check: %s\n' "$*"; problems=$((problems + 1)); }

check_format() {
  local files
  mapfile -t files < <(sources)
  [[ ${#files[@]} == 0 ]] && return
  if [[ $mode == fix ]]; then
    clang-format -i "${files[@]}"
  elif ! printf '%s\0' "${files[@]}" |
      xargs -0 -n 16 -P "$(nproc)" clang-format --dry-run -Werror >/tmp/mosaic-format.$$ 2>&1; then
    grep -E 'error:' /tmp/mosaic-format.$$ | cut -d: -f1 | sort | uniq -c |
      while read -r count file; do echo "check: $file is not formatted ($count places)"; done
    complain "format: run scripts/check.sh --fix"
  fi
  rm -f /tmp/mosaic-format.$$
}

# may_use ROOM: the rooms whose headers ROOM may include (its own besides).
may_use() {
  case "$1" in
    core) ;;
    spaces | db) echo core ;;
    tasks) echo core spaces ;;
    supernet) echo core spaces tasks ;;
    evaluators) echo core spaces tasks supernet db ;;
    predictors) echo core spaces ;;
    search) echo core spaces db evaluators predictors ;;
    jobs) echo core spaces db tasks supernet evaluators predictors search ;;
    report) echo core spaces db evaluators predictors ;;
    serve) echo core db report jobs ;;
    cli) echo core spaces db tasks supernet evaluators predictors search report jobs serve ;;
  esac
}
readonly rooms="core spaces db tasks supernet evaluators predictors search report jobs serve cli"

# sub_rooms ROOM: its rooms inside, in order: each may include its own headers and those of the ones before it.
sub_rooms() {
  case "$1" in
    supernet) echo engine sharing networks scoring training ;;
  esac
}

# forbid PATTERN REASON FILES...: no line of FILES may include what matches PATTERN.
forbid() {
  local pattern=$1 reason=$2 line
  shift 2
  [[ $# == 0 ]] && return
  while read -r line; do
    complain "$line: $reason"
  done < <(grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@" || true)
}

# of_room ROOMS...: their source files.
of_room() {
  local room
  for room in "$@"; do all_sources | grep "^$room/" || true; done
}
all_sources() { printf '%s\n' "${source_list[@]}"; }

check_includes() {
  mapfile -t source_list < <(sources)
  local room other files others reason
  for room in $rooms; do
    mapfile -t files < <(of_room "$room")
    others=""
    for other in $rooms; do
      [[ $other == "$room" || " $(may_use "$room") " == *" $other "* ]] || others+="|$other"
    done
    if [[ -n $others ]]; then
      reason="$room/ may use only: $(may_use "$room")"
      [[ -n $(may_use "$room") ]] || reason="$room/ may use no other room"
      forbid "mosaic/(${others#|})/" "$reason" "${files[@]}"
    fi
  done

  local before later
  for room in $rooms; do
    before=""
    for other in $(sub_rooms "$room"); do
      before+=" $other"
      later=$(sub_rooms "$room" | tr ' ' '\n' | sed "1,/^$other\$/d" | paste -sd '|')
      mapfile -t files < <(all_sources | grep -E "^$room/(include/mosaic/$room/)?$other/" || true)
      [[ -z $later ]] || forbid "(mosaic/$room/)?($later)/" "$room/$other/ may use only:$before" "${files[@]}"
    done
  done

  local torch='torch/|ATen/|c10/'
  mapfile -t files < <(of_room core spaces db search report)
  forbid "$torch" "core, spaces, db, search and report do without torch" "${files[@]}"
  mapfile -t files < <(of_room evaluators predictors cli | grep -v '_torch\.cpp$' | grep '\.cpp$')
  forbid "$torch" "in this room only files named *_torch.cpp include torch" "${files[@]}"
  mapfile -t files < <(all_sources)
  forbid 'torch/torch\.h' "torch/torch.h is slow: ATen/ATen.h, and what else is needed (CONTRIBUTING.md)" "${files[@]}"
  mapfile -t files < <(all_sources | grep '/include/')
  forbid '(torch|c10)/|ATen/([^c]|c[^o]|core/[^T]|core/Tensor[^.])' \
    "a public header includes ATen/core/Tensor.h at most" "${files[@]}"
  mapfile -t files < <(of_room predictors | grep '/include/')
  forbid "$torch" "public headers of predictors/ do without torch" "${files[@]}"
  mapfile -t files < <(all_sources | grep -vE '^(search|tests|bench)/')
  forbid 'pagmo/' "search/ is the only user of pagmo" "${files[@]}"
  mapfile -t files < <(all_sources | grep -vE '^(db|tests|bench)/')
  forbid 'sqlite3?\.h|sqlite3|SQLiteCpp' "db/ is the only user of SQLite" "${files[@]}"
}

# clang-tidy reads the compile commands of gcc: without its precompiled headers, which it cannot read.
check_tidy() {
  local preset=release folder=build/tidy files=() file
  [[ -e build/$preset/compile_commands.json ]] || cmake --preset "$preset" >/dev/null
  mkdir -p "$folder"
  python3 - "build/$preset/compile_commands.json" "$folder" <<'PYTHON'
import json, os, re, shutil, sys
commands = json.load(open(sys.argv[1]))
folder = os.path.abspath(sys.argv[2])
for entry in commands:
    def plain_header(match):
        copy = os.path.join(folder, re.sub(r"\W", "_", match.group(1)) + ".hxx")
        if os.path.exists(match.group(1)):
            shutil.copyfile(match.group(1), copy)
            return "-include " + copy
        return ""
    command = re.sub(r"^.*?ccache ", "", entry["command"])
    command = re.sub(r"-include (\S+cmake_pch\.hxx)", plain_header, command)
    entry["command"] = re.sub(r"-Winvalid-pch|-Werror", "", command)
json.dump(commands, open(os.path.join(folder, "compile_commands.json"), "w"))
PYTHON
  local known
  known=$(grep -o '"file": "[^"]*"' "$folder/compile_commands.json" | cut -d'"' -f4)
  while read -r file; do
    grep -qxF "$PWD/$file" <<<"$known" && files+=("$file")
  done < <(if [[ $mode == all ]]; then sources; else changed_files; fi | grep '\.cpp$')
  if [[ ${#files[@]} == 0 ]]; then
    say "clang-tidy: no changed files"
    return
  fi
  say "clang-tidy: ${#files[@]} files"
  printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$folder" --quiet 2>/dev/null ||
    complain "clang-tidy found something"
}

changed_files() {
  if [[ -z $base ]]; then
    base=HEAD
    for candidate in origin/main HEAD~1; do
      if git rev-parse -q --verify "$candidate^{commit}" >/dev/null; then base=$candidate; break; fi
    done
  fi
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u
}

check_format
check_includes
if [[ $mode == changed || $mode == all ]]; then check_tidy; fi
[[ $problems == 0 ]] || die "$problems problem(s)"
say "fine"
