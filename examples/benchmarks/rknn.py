"""What Rockchip's compiler makes of two networks: float against int8 on its simulator.

    edgectl tools setup rknn
    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/rknn.py [--settings normal ...]

ResNet18 on digits01, trained here, and OpenMMLab's RTMDet-nano for people at 320 px on coco128, as published.
Calibrated on train images, scored on validation images. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

from commands import absolute_paths, keep

import edgectl

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "RTMDet-nano, 320 px, people of coco128": (
        "AP",
        {
            "family": "rtmdet",
            "data": "coco128",
            "imgsz": 320,
            "epochs": 0,
            "set": {"data.classes": ["person"]},
        },
    ),
    "ResNet18, 96 px, digits01": (
        "top1",
        {"family": "resnet", "data": "digits01", "imgsz": 96, "epochs": 3, "seed": 0},
    ),
}


AS_TRAINED = ["quant.equalize=false", "quant.split_silu=0"]
KL = "backend.rknn.algorithm=kl_divergence"
SETTINGS = {
    "plain-normal": AS_TRAINED,
    "plain-kl": [*AS_TRAINED, KL],
    "normal": [],
    "kl": [KL],
    "mmse": ["backend.rknn.algorithm=mmse"],
    "hybrid": [KL, "backend.rknn.hybrid=true", "backend.rknn.hybrid_cosine=0.99"],
}
_DEFAULT = ["plain-normal", "plain-kl", "normal", "kl", "hybrid"]


def export(run: edgectl.Run, out: str, settings: list[str]) -> edgectl.Artifact:
    """The file with these settings, whatever it lost."""
    return keep(lambda: edgectl.export(run, backend="rknn", out=out, set=settings))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", default=_DEFAULT, choices=list(SETTINGS))
    chosen = parser.parse_args().settings
    absolute_paths("auto")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        print("| | metric | float | " + " | ".join(chosen) + " |")
        print("| --- | --- |" + " ---: |" * (1 + len(chosen)))
        for name, (metric, options) in RUNS.items():
            run = edgectl.train(**options)
            cells = [f"{run.metrics[metric]:.3f}"]
            for setting in chosen:
                start = time.perf_counter()
                file = export(run, f"{run.path}-{setting}", SETTINGS[setting])
                seconds = time.perf_counter() - start
                assert file.manifest.metrics is not None
                value = file.manifest.metrics.file.metrics[metric]
                cells.append(f"{value:.3f} ({file.model_bytes / 1e6:.1f} MB, {seconds:.0f} s)")
            print(f"| {name} | {metric} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
