#!/usr/bin/env bash
# Packs Mosaic for a machine where nothing can be installed, such as a GPU machine: the program,
# the shared libraries it needs, and a start script that finds a LibTorch of the same version there.
# Not in the bundle: LibTorch, CUDA, glibc and libstdc++, which that machine has.
#
#   scripts/bundle.sh [--preset PRESET] [--out FOLDER] [--with-tests] [--with-data] [--tar]
#
#   --preset      default: cuda where nvcc is installed, else release
#   --out         default: build/bundle
#   --with-tests  also the test executables, and run-tests, which runs them
#   --with-data   also Fashion-MNIST (30 MiB)
#   --tar         also FOLDER.tar.gz
set -euo pipefail
script_name=bundle
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

out=build/bundle
with_tests=0 with_data=0 with_tar=0
preset=release
if nvcc_seen; then preset=cuda; fi
while [[ $# -gt 0 ]]; do
  case "$1" in
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --with-tests) with_tests=1 ;;
    --with-data) with_data=1 ;;
    --tar) with_tar=1 ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) printf 'bundle: unknown option %s (see --help)\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

[[ ${MOSAIC_SKIP_SETUP:-0} == 1 ]] || scripts/setup.sh
if [[ $with_tests == 1 ]]; then build_preset "$preset"; else build_preset "$preset" bin/mosaic; fi
built=build/$preset
[[ -x $built/bin/mosaic ]] || die "$built/bin/mosaic is not there: did the build leave it out?"

rm -rf "$out"
mkdir -p "$out/bin" "$out/lib"
programs=("$built/bin/mosaic")
if [[ $with_tests == 1 ]]; then programs+=("$built"/bin/test_*); fi
for program in "${programs[@]}"; do
  strip --strip-unneeded -o "$out/bin/$(basename "$program")" "$program"
done

gather_libraries "$out/lib" "${programs[@]}"

cp -r --parents examples python "$out/"
rm -f "$out"/examples/CMakeLists.txt

cat >"$out/with-libtorch" <<'START'
#!/usr/bin/env bash
# Runs a command with a LibTorch 2.11 of this machine and the libraries of this bundle.
#   with-libtorch COMMAND [ARGUMENTS]
# LibTorch is looked for in: $MOSAIC_LIBTORCH (a folder with lib/libtorch_cpu.so, or one above it),
# the torch package of python3, and the cache folder of Mosaic's set-up.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
expected=2.11
looked=()

version_of() {
  sed -n 's/^.*define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\).*$/\2/p' \
    "$1/include/torch/headeronly/version.h" "$1/include/torch/csrc/api/include/torch/version.h" \
    2>/dev/null | head -3 | paste -sd.
}

# try FOLDER: sets libtorch where FOLDER holds the expected version.
try() {
  local folder=$1 version
  for folder in "$1" "$1/torch"; do
    [[ -e $folder/lib/libtorch_cpu.so ]] || continue
    version=$(version_of "$folder")
    if [[ -z $version && -e $folder/version.py ]]; then
      version=$(sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$folder/version.py")
    fi
    if [[ $version == "$expected".* ]]; then
      libtorch=$folder
      return 0
    fi
    looked+=("$folder: version ${version:-unknown}")
    return 1
  done
  looked+=("$1: no lib/libtorch_cpu.so")
  return 1
}

python_torch() {
  "$1" - 2>/dev/null <<'PYTHON'
import importlib.util
spec = importlib.util.find_spec("torch")
print(spec.submodule_search_locations[0] if spec else "")
PYTHON
}

find_libtorch() {
  if [[ -n ${MOSAIC_LIBTORCH:-} ]]; then
    try "$MOSAIC_LIBTORCH"
    return
  fi
  local python folder
  for python in python3 python /usr/bin/python3 /opt/conda/bin/python3; do
    command -v "$python" >/dev/null || continue
    folder=$(python_torch "$python") || folder=""
    if [[ -z $folder ]]; then
      looked+=("$python: has no torch")
    elif try "$folder"; then
      return 0
    fi
  done
  for folder in "${MOSAIC_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mosaic}/libtorch-$expected".*/torch; do
    if try "$folder"; then return 0; fi
  done
  return 1
}

if ! find_libtorch; then
  {
    echo "mosaic: no LibTorch $expected on this machine. Looked at:"
    if [[ ${#looked[@]} -gt 0 ]]; then printf '  %s\n' "${looked[@]}"; fi
    echo "Point MOSAIC_LIBTORCH at a folder with lib/libtorch_cpu.so of version $expected, or run"
    echo "scripts/setup.sh of Mosaic here."
  } >&2
  exit 1
fi

paths="$here/lib:$libtorch/lib"
for folder in "$libtorch"/../nvidia/*/lib; do
  if [[ -d $folder ]]; then paths+=":$folder"; fi
done
export LD_LIBRARY_PATH="$paths${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
if [[ -d $here/data && -z ${MOSAIC_DATA_DIR:-} ]]; then export MOSAIC_DATA_DIR="$here/data"; fi
exec "$@"
START
cat >"$out/mosaic" <<'START'
#!/usr/bin/env bash
# Starts Mosaic with a LibTorch of this machine (see with-libtorch).
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
exec "$here/with-libtorch" "$here/bin/mosaic" "$@"
START
chmod +x "$out/with-libtorch" "$out/mosaic"

if [[ $with_tests == 1 ]]; then
  mkdir -p "$out/source/tests"
  for folder in tests/golden tests/data examples; do
    if [[ -d $folder ]]; then cp -r --parents "$folder" "$out/source/"; fi
  done
  cat >"$out/run-tests" <<'START'
#!/usr/bin/env bash
# Runs the test executables of the bundle: run-tests [CATCH2 TAGS], e.g. run-tests '[gpu]'.
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
export MOSAIC_SOURCE_DIR="$here/source" MOSAIC_BINARY="$here/mosaic"
failed=0
for test in "$here"/bin/test_*; do
  echo "== $(basename "$test")"
  "$here/with-libtorch" "$test" "$@" || failed=1
done
exit "$failed"
START
  chmod +x "$out/run-tests"
fi
if [[ $with_data == 1 ]]; then
  mkdir -p "$out/data/fashion-mnist"
  cp /usr/share/datasets/fashion-mnist/*.gz "$out/data/fashion-mnist/"
fi
if [[ $with_tar == 1 ]]; then
  tar -C "$(dirname "$out")" -czf "$out.tar.gz" "$(basename "$out")"
fi

mebibytes=$(($(du -sk "$out" | cut -f1) / 1024))
say "$out: $mebibytes MiB (preset $preset); start it with $out/mosaic"
limit=60
if [[ $with_data == 1 ]]; then limit=92; fi
[[ $mebibytes -lt $limit ]] || die "the bundle should stay below $limit MiB: look what is big in $out"
