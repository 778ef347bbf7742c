#!/usr/bin/env bash
# Steps of supernets whose architecture changes at every step, on a GPU: recorded by blocks, beside the same launched kernel by kernel
# and, where a folder of peers is given, the same in eager PyTorch (its mos_step.py and piecewise.py).
#
#   bench/engine.sh BUNDLE [PEERS]     BUNDLE: an unpacked bundle with bench_engine_torch in its bin/
set -u
bundle=$1 peers=${2:-}
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$bundle/mosaic" --version
bench() { timeout 90 "$bundle/with-libtorch" "$bundle/bin/bench_engine_torch" "$@"; }
translation() { bench --routed ffn "$@"; }

translation --batch 64 --length 64 --profile
translation --batch 64 --length 64 --sharing plain
translation --batch 64 --length 64 --launch --repeats 1
for shape in "256 32" "16 32"; do
  read -r batch length <<<"$shape"
  translation --batch "$batch" --length "$length" --profile
  translation --batch "$batch" --length "$length" --sharing plain
done
for sharing in plain layer-wise; do
  for how in "" --launch; do
    bench --space nasbench201 --option channels=8 --option cells=5 --members 3 --batch 256 --sharing $sharing $how
  done
done
for space in resnet-elastic mobilenetv3; do
  for how in "" --launch; do bench --space $space --batch 128 --sharing plain $how; done
done
for precision in bfloat16 float32; do translation --batch 64 --length 64 --evaluate --precision $precision; done
if [ -n "$peers" ]; then
  timeout 60 python3 "$peers/mos_step.py" --batch 64 --len 64
  (cd "$peers" && timeout 120 python3 piecewise.py --parts main --budget 100 --out /tmp)
fi
