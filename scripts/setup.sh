#!/usr/bin/env bash
# Prepares a Debian 12 machine to build and test Mosaic: Debian packages, then LibTorch in a cache
# folder outside the source tree. Safe to run again; takes a second when nothing is missing.
#
#   scripts/setup.sh [--with-chromium] [--with-fuzzing] [--without-libtorch] [--with-cuda | --without-cuda]
#
#   --with-chromium     also headless Chromium, which the tests of the HTML pages use
#   --with-fuzzing      also clang with libFuzzer, for scripts/fuzz.sh
#   --without-libtorch  for those who bring their own LibTorch 2.11 by CMAKE_PREFIX_PATH
#   --with-cuda         fetch the CUDA libraries LibTorch loads (default: only where a GPU is seen)
#   --without-cuda      never fetch them
#
# LibTorch goes to ${MOSAIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mosaic}/libtorch-2.11.0.
set -euo pipefail

readonly torch_version=2.11.0
readonly cache="${MOSAIC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mosaic}"
readonly home="$cache/libtorch-$torch_version"

packages=(
  build-essential cmake ninja-build ccache clang-format clang-tidy lld git ca-certificates
  python3 python3-pip python3-venv python3-wheel patchelf unzip
  libboost-dev libboost-serialization-dev libboost-graph-dev libpagmo-dev libtbb-dev libeigen3-dev
  catch2 libsqlite3-dev sqlite3 libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  libspdlog-dev libfmt-dev zlib1g-dev libxxhash-dev libxgboost-dev xgboost libjpeg-dev libpng-dev
  pkg-config libcpp-httplib-dev libsentencepiece-dev dataset-fashion-mnist
)

# LibTorch itself, and the two CUDA libraries that even its CPU half loads: name==version, sha256.
readonly wheels=(
  "torch==2.11.0 7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"
  "nvidia-cuda-cupti==13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"
  "nvidia-cuda-runtime==13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"
)
# What LibTorch's CUDA half loads besides: fetched only where there is a GPU (3 GB unpacked).
readonly cuda_wheels=(
  "nvidia-cusparselt-cu13==0.8.0 25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd"
  "nvidia-nvshmem-cu13==3.4.5 290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80"
  "nvidia-cufile==1.15.1.6 08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44"
  "nvidia-cudnn-cu13==9.19.0.56 d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf"
  "nvidia-nccl-cu13==2.28.9 e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42"
  "nvidia-cublas==13.1.0.3 ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171"
  "nvidia-cufft==12.0.0.61 6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3"
  "nvidia-curand==10.4.0.35 1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc"
  "nvidia-cusolver==12.0.4.66 0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112"
  "nvidia-cusparse==12.6.3.3 2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b"
  "nvidia-nvjitlink==13.0.88 13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b"
  "nvidia-cuda-nvrtc==13.0.88 ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575"
)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

with_libtorch=1
with_cuda=auto
for argument in "$@"; do
  case "$argument" in
    --with-chromium) packages+=(chromium) ;;
    --with-fuzzing) packages+=(clang-14 libclang-rt-14-dev) ;;
    --without-libtorch) with_libtorch=0 ;;
    --with-cuda) with_cuda=1 ;;
    --without-cuda) with_cuda=0 ;;
    -h | --help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) printf 'setup: unknown option %s (see --help)\n' "$argument" >&2; exit 2 ;;
  esac
done

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "need root to run '$*': run this script as root or install sudo"
  fi
}

# apt ARGUMENT...: apt-get as root. A fresh machine often upgrades itself at first: as long as another
# program holds apt's locks, this waits, ten minutes at most.
apt() {
  local log status deadline=$((SECONDS + 600)) told=0
  log=$(mktemp)
  while true; do
    status=0
    as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 \
      -o Dpkg::Use-Pty=0 -qq "$@" >"$log" 2>&1 || status=$?
    if [[ $status == 0 ]] || ! grep -qE 'Could not get lock|Unable to (lock|acquire)' "$log"; then
      break
    fi
    ((SECONDS < deadline)) || break
    [[ $told == 1 ]] || say "another program holds apt's locks (is the machine upgrading itself?):" \
      "waiting until it is done, ten minutes at most"
    told=1
    sleep 5
  done
  [[ $status == 0 ]] || cat "$log" >&2
  rm -f "$log"
  [[ $status == 0 ]] || die "apt-get $* failed: mend what it says above, then run scripts/setup.sh again"
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null |
    awk '$1 == "installed" { print $2 }' | sort -u) || true
  comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(printf '%s\n' "$installed")
}

install_packages() {
  command -v dpkg-query >/dev/null || die "this is not a Debian system: install by hand what" \
    "scripts/setup.sh lists under 'packages', then run it with MOSAIC_NO_APT=1"
  local missing
  mapfile -t missing < <(missing_packages)
  if [[ ${#missing[@]} == 0 ]]; then
    say "Debian packages: all there"
    return
  fi
  say "Debian packages to install: ${missing[*]}"
  apt update
  apt -y install --no-install-recommends "${missing[@]}"
}

# fetch_wheel NAME==VERSION SHA256 FOLDER: downloads, verifies, unpacks into FOLDER, drops the wheel.
fetch_wheel() {
  local requirement=$1 sha256=$2 target=$3 folder wheel found
  folder=$(mktemp -d "$cache/download.XXXXXX")
  say "fetching $requirement"
  python3 -m pip download --quiet --retries 10 --disable-pip-version-check --no-cache-dir --no-deps \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
    --platform manylinux_2_25_x86_64 --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 \
    --platform manylinux2014_x86_64 --platform manylinux_2_12_x86_64 \
    --platform manylinux2010_x86_64 --dest "$folder" "$requirement" ||
    { rm -rf "$folder"; die "could not download $requirement: is the Python package index reachable?"; }
  wheel=$(find "$folder" -name '*.whl')
  found=$(sha256sum "$wheel" | cut -d' ' -f1)
  if [[ $found != "$sha256" ]]; then
    rm -rf "$folder"
    die "$requirement has sha256 $found, expected $sha256: the download is damaged or not the" \
      "file Mosaic was built against; run scripts/setup.sh again"
  fi
  unzip -q -o "$wheel" -d "$target"
  rm -rf "$folder"
}

install_libtorch() {
  if [[ -e $home/torch/lib/libtorch_cpu.so ]]; then
    say "LibTorch $torch_version: $home"
    return
  fi
  rm -rf "$cache"/libtorch.?????? "$cache"/download.??????
  local staging entry
  staging=$(mktemp -d "$cache/libtorch.XXXXXX")
  for entry in "${wheels[@]}"; do
    fetch_wheel "${entry% *}" "${entry#* }" "$staging"
  done
  chmod 755 "$staging"
  rm -rf "$home"
  mv "$staging" "$home"
  say "LibTorch $torch_version: $home"
}

# Each library is marked when it is complete, so that a broken download is resumed at the same one.
install_cuda_libraries() {
  local entry mark
  for entry in "${cuda_wheels[@]}"; do
    mark="$home/.complete-${entry% *}"
    [[ -e $mark ]] && continue
    fetch_wheel "${entry% *}" "${entry#* }" "$home"
    touch "$mark"
  done
  say "CUDA libraries for LibTorch: $home/nvidia"
}

gpu_seen() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

[[ ${MOSAIC_NO_APT:-0} == 1 ]] || install_packages

if [[ $with_libtorch == 1 ]]; then
  [[ $(uname -m) == x86_64 ]] || die "the LibTorch fetched here is for x86_64, this is $(uname -m):" \
    "bring your own by CMAKE_PREFIX_PATH and run with --without-libtorch"
  mkdir -p "$cache"
  exec 9>"$cache/.lock"
  flock 9 # two clones set up at once share one download
  install_libtorch
  if [[ $with_cuda == 1 ]] || { [[ $with_cuda == auto ]] && gpu_seen; }; then
    install_cuda_libraries
  fi
fi
say "ready"
