#!/usr/bin/env bash
# Makes a Python wheel, dist/mosaic_nas-VERSION-py3-none-manylinux_*_x86_64.whl: `pip install` of it gives the command
# `mosaic` and the Python module mosaic_nas (python/). In it are the program, libmosaic with headers and a CMake
# package, the shared libraries they need, examples and docs; LibTorch is that of the torch that pip installs.
# It fits machines whose glibc is at least this one's.
#
#   scripts/wheel.sh [--with-cuda | --without-cuda] [--built FOLDER] [--out FOLDER]
#
#   --with-cuda     also the program with CUDA kernels, started where there is a GPU; it is built first
#   --without-cuda  not that one (the default)
#   --built         a build folder that is packed as it is (default: build/release, which is built first)
#   --out           default: dist
set -euo pipefail
script_name=wheel
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

built="" out=dist with_cuda=0
while [[ $# -gt 0 ]]; do
  case "$1" in
    --with-cuda) with_cuda=1 ;;
    --without-cuda) with_cuda=0 ;;
    --built) built=${2:?--built needs a folder}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) printf 'wheel: unknown option %s (see --help)\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

[[ ${MOSAIC_SKIP_SETUP:-0} == 1 ]] || scripts/setup.sh
if [[ -z $built ]]; then
  built=build/release
  build_preset release bin/mosaic
fi
if [[ $with_cuda == 1 ]]; then build_preset cuda bin/mosaic; fi

version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$built/CMakeCache.txt")
torch=$(sed -n 's/^readonly torch_version=//p' scripts/setup.sh)
glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
readonly version torch platform="manylinux_${glibc/./_}_$(uname -m)"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
package=$stage/mosaic_nas
info=$stage/mosaic_nas-$version.dist-info
share=$stage/mosaic_nas-$version.data/data/share/mosaic
mkdir -p "$info/licenses" "$share" "$out"

# pack PROGRAM FOLDER: the program, and the libraries that the package does not have yet.
pack() {
  local program=$1 folder=$2
  mkdir -p "$folder/bin"
  strip --strip-unneeded -o "$folder/bin/mosaic" "$program"
  patchelf --set-rpath '$ORIGIN/../lib' "$folder/bin/mosaic"
  gather_libraries "$folder/lib" "$program"
}

cmake --install "$built" --prefix "$package" >/dev/null
rm "$package/lib/libmosaic.so" # a wheel holds no links: CMake's package names the library itself
pack "$built/bin/mosaic" "$package"
if [[ $with_cuda == 1 ]]; then
  pack build/cuda/bin/mosaic "$package/cuda"
  find "$package/cuda/lib" -type f ! -name 'libmosaic*' -delete # as those of the other program
fi
# For programs of others over the library: torch lies beside mosaic_nas.
patchelf --set-rpath '$ORIGIN:$ORIGIN/../../torch/lib' "$package"/lib/libmosaic.so.*
cp python/mosaic_nas/*.py python/mosaic_nas/py.typed "$package/"
cp -r README.md docs examples "$share/"
rm "$share/examples/CMakeLists.txt"

# The licences of what is inside: of the libraries, and of those that are compiled in.
{
  echo "Mosaic is under the Apache License 2.0 (LICENSE). These Debian packages are inside, each with its licence beside"
  echo "this file; their sources are at snapshot.debian.org."
  { for library in "$package"/lib/*.so*; do
      { dpkg-query -S "*/$(basename "$library")" 2>/dev/null || true; } | cut -d: -f1 # libmosaic is in none
    done
    printf '%s\n' libboost1.74-dev libcli11-dev libeigen3-dev libtomlplusplus-dev libxxhash-dev nlohmann-json3-dev
  } | sort -u | while read -r name; do
    cp -L "/usr/share/doc/$name/copyright" "$info/licenses/$name.txt"
    dpkg-query -W -f '${Package} ${Version}\n' "$name"
  done
} >"$info/licenses/README.txt"
cp LICENSE "$info/licenses/"

cat >"$info/METADATA" <<METADATA
Metadata-Version: 2.1
Name: mosaic-nas
Version: $version
Summary: Mosaic: mixture-of-supernets architecture search
License: Apache-2.0
Requires-Python: >=3.10
Requires-Dist: torch==$torch
Requires-Dist: safetensors
Provides-Extra: pandas
Requires-Dist: pandas; extra == 'pandas'
Description-Content-Type: text/markdown

$(cat README.md)
METADATA
cat >"$info/WHEEL" <<WHEEL
Wheel-Version: 1.0
Generator: mosaic ($version)
Root-Is-Purelib: false
Tag: py3-none-$platform
WHEEL
cat >"$info/entry_points.txt" <<POINTS
[console_scripts]
mosaic = mosaic_nas.command:main
POINTS
/usr/bin/python3 -m wheel pack --dest-dir "$out" "$stage" >/dev/null
wheel=$out/mosaic_nas-$version-py3-none-$platform.whl
say "$wheel: $(($(stat -c %s "$wheel") / 1048576)) MiB; install it with: pip install $wheel"
