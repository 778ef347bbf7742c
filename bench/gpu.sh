#!/usr/bin/env bash
# What a GPU machine shows, from a bundle (scripts/bundle.sh --preset cuda --with-tests --with-data --tar):
#
#   bench/gpu.sh BUNDLE OUT       BUNDLE: the unpacked folder; OUT: where results go
#
# Runs all [gpu] tests, the demo job (examples/fashion.toml) with extraction, fine-tuning and test, and a short training
# with every way of sharing; prints times and a table. What the tests said is added to bench/results/gpu_tests.md.
set -uo pipefail
bundle=${1:?bundle folder}
out=${2:?output folder}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$out"
mosaic=$bundle/mosaic
export MOSAIC_DATA_DIR=${MOSAIC_DATA_DIR:-$bundle/data}
failed=0

echo "== machine"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$mosaic" doctor

echo "== [gpu] tests"
result=passed
MOSAIC_REQUIRE_GPU=1 "$bundle/run-tests" '[gpu]' >"$out/tests.log" 2>&1 || { failed=1 result=FAILED; }
grep -E "passed|failed|FAILED|test_" "$out/tests.log" | tail -20
results=$here/bench/results/gpu_tests.md
[[ -e $results ]] || printf '# The [gpu] tests, by `bench/gpu.sh`\n\n| date | program | device | result | assertions |\n|---|---|---|---|---|\n' >"$results"
printf '| %s | %s | %s | %s | %s |\n' "$(date -u +%F)" "$("$mosaic" --version | head -1)" \
  "$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)" "$result" \
  "$(grep -oE '[0-9]+ assertions?' "$out/tests.log" | awk '{ n += $1 } END { print n + 0 }')" >>"$results"

echo "== the demo job"
cp "$here/examples/fashion.toml" "$out/fashion.toml"
begin=$(date +%s.%N)
"$mosaic" run "$out/fashion.toml" --db "$out/results.db" --report "$out/report.html" 2>&1 | grep -v '[1-9]%' || failed=1
echo "demo job: $(echo "$(date +%s.%N) - $begin" | bc 2>/dev/null || python3 -c "import time; print(round(time.time() - $begin, 1))") s"
"$mosaic" front --db "$out/results.db" --json >"$out/front.json"
"$mosaic" extract --db "$out/results.db" --best accuracy --out "$out/subnet" || failed=1
"$mosaic" finetune "$out/subnet" --out "$out/tuned" 2>&1 | tail -2 || failed=1
"$mosaic" eval "$out/tuned" --split test --db "$out/results.db" || failed=1

echo "== ways of sharing: one epoch each, images per second"
for router in plain layer-wise neuron-wise; do
  experts=2
  [[ $router == plain ]] && experts=1
  sed "s/^sharing = .*/sharing = \"$router\"/; s/^copies = .*/copies = $experts/; s/^epochs = .*/epochs = 1/; s/^name = \"fashion-front\".*/name = \"$router\"/" \
    "$here/examples/fashion.toml" >"$out/$router.toml"
  "$mosaic" -q train "$out/$router.toml" --db "$out/routers.db" || failed=1
done
"$mosaic" query --db "$out/routers.db" "SELECT j.name AS router, round(avg(t.images_per_second)) AS images_per_second, \
round(min(t.images_per_second)) AS slowest, round(max(t.images_per_second)) AS fastest FROM training t \
JOIN jobs j ON j.id = t.job WHERE t.epoch > 0.2 GROUP BY j.name ORDER BY j.id"

echo "== the same training twice: losses of the last report"
sed 's/^epochs = .*/epochs = 1/; s/^name = "fashion-front".*/name = "again"/; s/^sharing = .*/sharing = "layer-wise"/' "$here/examples/fashion.toml" \
  >"$out/again.toml"
"$mosaic" -q train "$out/again.toml" --db "$out/routers2.db" >/dev/null 2>&1 || failed=1
for db in routers routers2; do
  "$mosaic" query --db "$out/$db.db" --csv "SELECT loss FROM training t JOIN jobs j ON j.id = t.job \
WHERE j.name IN ('layer-wise', 'again') ORDER BY step DESC LIMIT 1" | tail -1
done

if python3 -c 'import torch, safetensors' 2>/dev/null; then
  echo "== the subnet in plain PyTorch"
  "$mosaic" eval "$out/tuned" --split validation --outputs "$out/xy.safetensors" --device cpu
  PYTHONPATH=$here/python python3 "$here/examples/load_subnet.py" "$out/tuned" "$out/xy.safetensors" | tail -2 || failed=1
fi
rm -rf "$out"/results-files "$out"/routers-files "$out"/routers2-files "$out"/routers*.db*
exit $failed
