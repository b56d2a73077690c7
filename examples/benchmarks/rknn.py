"""What Rockchip's compiler makes of two networks: float against int8 on its simulator.

    edgectl tools setup rknn
    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/rknn.py [--algorithm normal ...]

ResNet18 on digits01, trained here, and OpenMMLab's RTMDet-nano for people at 320 px on coco128, as published.
Calibrated on train pictures, scored on validation pictures. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from commands import absolute_paths, edgectl

RUNS = {
    "ResNet18, 96 px, digits01": (
        "top1",
        ["resnet", "--data", "digits01", "--imgsz", "96", "--epochs", "3", "--seed", "0"],
    ),
    "RTMDet-nano, 320 px, people of coco128": (
        "AP",
        [
            *["rtmdet", "--data", "coco128", "--imgsz", "320", "--epochs", "0"],
            *["--set", 'data.classes=["person"]'],
        ],
    ),
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithm", nargs="+", default=["normal", "mmse", "kl_divergence"])
    algorithms = parser.parse_args().algorithm
    absolute_paths("auto")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        print("| | metric | float | " + " | ".join(algorithms) + " |")
        print("| --- | --- |" + " ---: |" * (1 + len(algorithms)))
        for name, (metric, words) in RUNS.items():
            run = edgectl("train", *words)
            cells = [f"{run['metrics'][metric]:.3f}"]
            for algorithm in algorithms:
                start = time.perf_counter()
                settings = ["--set", f"backend.rknn.algorithm={algorithm}"]
                out = f"{run['run']}-{algorithm}"
                done = edgectl("export", run["run"], "--backend", "rknn", "--out", out, *settings)
                seconds = time.perf_counter() - start
                value = done["metrics"]["file"]["metrics"][metric]
                cells.append(f"{value:.3f} ({seconds:.0f} s)")
            print(f"| {name} | {metric} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
