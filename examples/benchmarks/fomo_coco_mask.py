"""FOMO 0.35 on coco_mask at 192 px, three seeds: what was trained, and what ships.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/fomo_coco_mask.py --weights none

Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from commands import absolute_paths, keep, table

import edgectl

SPLITS = ("valid", "test")


def measure(seed: int, weights: str, epochs: int) -> dict[str, float]:
    """One seed, all the way."""
    start = time.perf_counter()
    run = edgectl.train(
        "fomo", data="coco_mask", epochs=epochs, imgsz=192, weights=weights, seed=seed
    )
    row: dict[str, float] = {"train s": time.perf_counter() - start}
    for split in SPLITS:
        figures = edgectl.evaluate(run.best, split=split).metrics
        row[f"float {split}"] = figures["f1"]
        if split == "valid":
            row["sscma_f1"] = figures["sscma_f1"]
    ptq = keep(lambda: edgectl.export(run, backend="tflite"))
    qat = keep(lambda: edgectl.qat(run, backend="tflite", epochs=5, name=f"seed{seed}"))
    for stage, file in {"ptq": ptq, "qat": qat.artifact}.items():
        for runtime in ("litert", "tflm"):
            for split in SPLITS:
                found = edgectl.evaluate(file, split=split, runtime=runtime)
                row[f"{stage} {runtime} {split}"] = found.metrics["f1"]
    return row


def main() -> None:
    """Parses the words and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="none")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    weights = absolute_paths(args.weights)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        table(args.seeds, lambda seed: measure(seed, weights, args.epochs))


if __name__ == "__main__":
    main()
