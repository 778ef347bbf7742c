# Shared by the scripts of this folder: source it, do not run it.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s: %s\n' "${script_name:-mosaic}" "$*"; }
die() { printf '%s: error: %s\n' "${script_name:-mosaic}" "$*" >&2; exit 1; }

gpu_seen() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }
nvcc_seen() { command -v nvcc >/dev/null || [[ -x /usr/local/cuda/bin/nvcc ]]; }

# The preset for this machine: cuda where there is a GPU and a compiler for it.
machine_preset() {
  if gpu_seen && nvcc_seen; then echo cuda; else echo release; fi
}

# build_preset PRESET [TARGET...]: configures (where it was not) and builds the targets, or all.
build_preset() {
  local preset=$1
  shift
  [[ -e build/$preset/build.ninja ]] || cmake --preset "$preset"
  cmake --build "build/$preset" ${1:+--target "$@"}
}

sources() {
  git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' '*.cu' '*.cuh' '*.cc' '*.h' '*.js' |
    while read -r file; do [[ -e $file ]] && echo "$file"; done
}

# gather_libraries FOLDER PROGRAM...: copies into FOLDER, stripped, the shared libraries that the loader finds for the
# programs, less those that another machine has in versions of its own: LibTorch, CUDA, glibc, libstdc++, OpenMP.
# Each of them looks for the others in its own folder.
gather_libraries() {
  local left_out='^(libtorch|libc10|libcu|libnv|libnccl|libcaffe2|libgomp|libshm)'
  left_out+='|^(libc|libm|libdl|librt|libpthread|libresolv|libutil|libstdc\+\+|libgcc_s)\.so'
  local folder=$1 name library
  shift
  mkdir -p "$folder"
  ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u | grep -vE "$left_out" |
    while read -r name library; do
      strip --strip-unneeded -o "$folder/$name" "$(readlink -f "$library")"
      patchelf --set-rpath '$ORIGIN' "$folder/$name"
    done
}
