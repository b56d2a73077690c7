#!/usr/bin/env bash
# Train, eval, export and qat of fomo and rtmdet on an accelerator, against the CPU's metrics. Under five
# minutes on one GPU. Run it where edgectl and both families are installed:
#
#   bash examples/benchmarks/gpu_check.sh                 # DEVICE=cuda
#   DEVICE=cpu EPOCHS=1 SIZE=64 bash examples/benchmarks/gpu_check.sh     # does the script itself run?
#
# It ends with one line a step: what was compared, both values, and "ok" or "DIFFERS" (exit code 1).
set -euo pipefail

DEVICE=${DEVICE:-cuda}
EPOCHS=${EPOCHS:-3}
QAT_EPOCHS=${QAT_EPOCHS:-1}
SIZE=${SIZE:-96}
DATA=${DATA:-demo_mask}
FAMILIES=${FAMILIES:-fomo rtmdet}
TOLERANCE=${TOLERANCE:-0.005}
PYTHON=${PYTHON:-python3}
EDGECTL=${EDGECTL:-edgectl}
OUT=${OUT:-$(mktemp -d -t edgectl-gpu-XXXXXX)}

mkdir -p "$OUT"
cd "$OUT"
# no search: what is checked is where the network runs, not how well it is quantized
FAST=(--set quant.observer=minmax --set quant.split_silu=0.0 --set quant.equalize=false)
LOOSE=(--set quant.max_drop=1.0)

run() { # NAME ARGUMENTS...: one command, its document kept as NAME.json
  local name=$1; shift
  local start=$SECONDS
  "$EDGECTL" "$@" --json > "$name.json" 2> "$name.log" || {
    echo "$name failed; see $OUT/$name.log" >&2; tail -5 "$name.log" >&2; exit 1
  }
  echo "$name: $((SECONDS - start)) s"
}

for family in $FAMILIES; do
  run "$family-train" train "$family" --data "$DATA" --imgsz "$SIZE" --epochs "$EPOCHS" \
    --weights none --device "$DEVICE" --name "$family" "${LOOSE[@]}"
  best="runs/train/$family/checkpoints/best.pt"
  run "$family-eval-device" eval "$best" --device "$DEVICE"
  run "$family-eval-cpu" eval "$best" --device cpu
  run "$family-bench" bench "$best" --device "$DEVICE" --seconds 0.2
  run "$family-export-device" export "$best" --backend tflite --device "$DEVICE" --out "$family-device" "${FAST[@]}"
  run "$family-export-cpu" export "$best" --backend tflite --device cpu --out "$family-cpu" "${FAST[@]}"
  run "$family-qat" qat "$best" --backend tflite --epochs "$QAT_EPOCHS" --device "$DEVICE" --name "$family" "${FAST[@]}"
done

"$PYTHON" - "$TOLERANCE" $FAMILIES <<'PY'
import json
import pathlib
import sys

tolerance, failed = float(sys.argv[1]), False


def data(name):
    return json.loads(pathlib.Path(f"{name}.json").read_text())["data"]


def compare(what, ours, theirs, limit):
    global failed
    ok = abs(ours - theirs) <= limit
    failed |= not ok
    print(f"{what}: {ours:.6g} against {theirs:.6g} {'ok' if ok else 'DIFFERS'}")


for family in sys.argv[2:]:
    main = data(f"{family}-export-cpu")["gate"]["metric"]
    device, cpu = (data(f"{family}-eval-{d}")["metrics"] for d in ("device", "cpu"))
    compare(f"{family} eval {main}, device and cpu", device[main], cpu[main], tolerance)
    exports = [data(f"{family}-export-{d}") for d in ("device", "cpu")]
    files = [next(f for f in e["files"] if f["path"] == "model.tflite")["sha256"] for e in exports]
    same = files[0] == files[1]
    failed |= not same
    print(f"{family} export: the same file {'ok' if same else 'DIFFERS'}")
    gaps = [e["parity"]["graph"]["float_max_abs"] for e in exports]
    compare(f"{family} export, graph against network", gaps[0], gaps[1], 1e-3)
    qat = data(f"{family}-qat")
    for name, report in qat["parity"]["runtimes"].items():
        if report["exact"] and report["differing"]:
            failed = True
            print(f"{family} qat: {report['differing']} elements differ on {name} DIFFERS")
    print(f"{family} qat: {main} {qat['metrics'][main]:.4f}, float {cpu[main]:.4f}")
    for step in ("train", "qat"):
        print(f"{family} {step}: {data(f'{family}-{step}')['images_per_second']:.0f} images/s")
    print(f"{family} bench: {data(f'{family}-bench')['rows'][0]['latency_ms']:.2f} ms an image")
sys.exit(failed)
PY
echo "everything is in $OUT"
