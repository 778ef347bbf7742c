#!/usr/bin/env bash
# Makes the wheel, installs it into a fresh Python environment, and uses it there as a stranger would: the command,
# a job over a table, the module, the CMake package. torch is that of scripts/setup.sh, which is PyPI's, unpacked.
#   wheel.sh BUILD_FOLDER LIBTORCH_FOLDER
set -euo pipefail
built=$1 libtorch=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$built/wheel-test

fail() { printf 'wheel test: %s\n' "$*" >&2; exit 1; }
# skip WHY: counted, and printed at the end by scripts/test.sh.
skip() {
  printf 'wheel: %s\n' "$1" | tee -a "${MOSAIC_SKIPPED:-/dev/null}"
  exit 77
}
# lacks WHY: a skip, or a failure where what scripts/setup.sh installs is required.
lacks() {
  [[ ${MOSAIC_REQUIRE_TOOLS:-0} != 1 ]] || fail "$1 (MOSAIC_REQUIRE_TOOLS=1)"
  skip "$1"
}
# expect TEXT COMMAND...: what the command says holds the text.
expect() {
  local text=$1 said
  shift
  said=$("$@" 2>&1) || true
  [[ $said == *"$text"* ]] || fail "'$*' said
$said
which lacks '$text'"
}

rm -rf "$work"
mkdir -p "$work"
cd "$work"
python3 -m venv venv >venv.log 2>&1 || lacks "python3 -m venv makes no environment with pip: $(tail -1 venv.log)"
/usr/bin/python3 -c 'import wheel' && command -v patchelf >/dev/null ||
  lacks "no python3-wheel or no patchelf (scripts/setup.sh installs both)"
MOSAIC_SKIP_SETUP=1 "$source/scripts/wheel.sh" --without-cuda --built "$built" --out "$work"
venv/bin/pip install --quiet --no-index --no-deps mosaic_nas-*.whl
mosaic=venv/bin/mosaic

expect "torch is not installed for" "$mosaic" --version
mkdir -p old/torch
touch old/torch/__init__.py
echo "__version__ = '2.9.1+cpu'" >old/torch/version.py
expect "is version 2.9.1+cpu. Expected: torch 2.11" env PYTHONPATH=old "$mosaic" --version
expect "pip install 'torch==2.11" env PYTHONPATH=old "$mosaic" --version

[[ -e $libtorch/version.py ]] || lacks "$libtorch is not the torch of a Python environment"
site=$(venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
ln -s "$libtorch" "$site/torch"
ln -s "$libtorch/../nvidia" "$site/nvidia"
expect mosaic "$mosaic" --version

# Not the build folder's libraries, but those of the wheel and of torch.
ldd_of() { LD_LIBRARY_PATH=$site/mosaic_nas/lib:$site/torch/lib ldd "$site/mosaic_nas/bin/mosaic"; }
! ldd_of | grep -E "not found|=> $built/lib" || fail "libraries are missing, or not from the wheel"

# docs/own-table.md
share=venv/share/mosaic
"$mosaic" -q search "$share/examples/nasbench201_by_size.toml" --db size.db >/dev/null
"$mosaic" query --db size.db --csv "SELECT arch, params, flops FROM results WHERE evaluation IS NOT NULL" >table.csv
"$mosaic" -q search "$share/examples/table.toml" --db r.db >front.txt
[[ $(wc -l <front.txt) -ge 20 ]] || fail "the front of the table has few lines: $(cat front.txt)"

expect "mosaic_nas.results() needs pandas: pip install pandas" \
  venv/bin/python -c 'import mosaic_nas; mosaic_nas.results("r.db", "table")'

# The CMake package: a program over the library, built and run.
cmake -G Ninja -S "$source/tests/package" -B consumer -DCMAKE_PREFIX_PATH="$site/mosaic_nas" \
  -DEXAMPLES="$source/examples" >cmake.log 2>&1 || fail "$(cat cmake.log)"
cmake --build consumer --target consumer >cmake.log 2>&1 || fail "$(cat cmake.log)"
consumer/consumer

if venv/bin/pip install --quiet --retries 1 --timeout 10 pandas >pip.log 2>&1; then
  rows=$(venv/bin/python -c 'import mosaic_nas; print(len(mosaic_nas.results("r.db", "table").query("params > 0")))')
  [[ $rows == 100 ]] || fail "results() has $rows rows of 100"
  expect "r.db has no job 'tabel'; it has: table" \
    venv/bin/python -c 'import mosaic_nas; mosaic_nas.results("r.db", "tabel")'
  expect "table.csv cannot be read as a results database" \
    venv/bin/python -c 'import mosaic_nas; mosaic_nas.results("table.csv", "table")'
  expect "ValueError: none.db cannot be read as a results database" \
    venv/bin/python -c 'import mosaic_nas; mosaic_nas.results("none.db", "table")'
  venv/bin/python -c 'import sqlite3; sqlite3.connect("other.db").executescript("CREATE TABLE jobs (id, name); INSERT INTO jobs VALUES (1, 1)")'
  expect "ValueError: other.db cannot be read as a results database" \
    venv/bin/python -c 'import mosaic_nas; mosaic_nas.results("other.db", 1)'
else
  skip "results() without pandas, which cannot be installed here: $(tail -1 pip.log)"
fi
