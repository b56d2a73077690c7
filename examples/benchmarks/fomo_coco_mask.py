"""FOMO 0.35 on coco_mask at 192 px, three seeds: what was trained, and what ships.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/fomo_coco_mask.py --weights none

Prints one Markdown table. Everything goes through the command line, as a user's would.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from commands import absolute_paths, edgectl, table

SPLITS = ("valid", "test")


def f1(model: str, split: str, *extra: str) -> dict[str, float]:
    """Metrics of one model on one split."""
    return dict(edgectl("eval", model, "--split", split, *extra)["metrics"])


def measure(seed: int, weights: str, epochs: int) -> dict[str, float]:
    """One seed, all the way."""
    start = time.perf_counter()
    words = ["--data", "coco_mask", "--epochs", str(epochs), "--imgsz", "192"]
    run = edgectl("train", "fomo", *words, "--weights", weights, "--seed", str(seed))
    row: dict[str, float] = {"train s": time.perf_counter() - start}
    for split in SPLITS:
        figures = f1(run["best"], split)
        row[f"float {split}"] = figures["f1"]
        if split == "valid":
            row["sscma_f1"] = figures["sscma_f1"]
    edgectl("export", run["run"], "--backend", "tflite")
    edgectl("qat", run["run"], "--backend", "tflite", "--epochs", "5", "--name", f"seed{seed}")
    files = {"ptq": f"{run['run']}/export/tflite-int8", "qat": f"runs/qat/seed{seed}"}
    for stage, path in files.items():
        for runtime in ("litert", "tflm"):
            for split in SPLITS:
                row[f"{stage} {runtime} {split}"] = f1(path, split, "--runtime", runtime)["f1"]
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
