"""FOMO 0.35 on coco_mask at 192 px, three seeds: what was trained, and what ships.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/fomo_coco_mask.py --weights none

Prints one Markdown table. Everything goes through the command line, as a user's would.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPLITS = ("valid", "test")


def edgectl(*words: str) -> dict[str, Any]:
    """Runs one command with --json and returns its data."""
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(result.stdout)
    if not document["ok"] and document["error"]["exit"] != 4:
        sys.exit(f"edgectl {' '.join(words)}: {document['error']['message']}")
    return dict(document["data"] or {})


def score(model: str, split: str, *extra: str) -> dict[str, float]:
    """Metrics of one model on one split."""
    return dict(edgectl("eval", model, "--split", split, *extra)["metrics"])


def measure(seed: int, weights: str, epochs: int) -> dict[str, float]:
    """One seed, all the way."""
    start = time.perf_counter()
    words = ["--data", "coco_mask", "--epochs", str(epochs), "--imgsz", "192"]
    run = edgectl("train", "fomo", *words, "--weights", weights, "--seed", str(seed))
    row: dict[str, float] = {"seed": seed, "train s": time.perf_counter() - start}
    for split in SPLITS:
        figures = score(run["best"], split)
        row[f"float {split}"] = figures["f1"]
        if split == "valid":
            row["sscma_f1"] = figures["sscma_f1"]
    edgectl("export", run["run"], "--backend", "tflite")
    edgectl("qat", run["run"], "--backend", "tflite", "--epochs", "5", "--name", f"seed{seed}")
    files = {"ptq": f"{run['run']}/export/tflite-int8", "qat": f"runs/qat/seed{seed}"}
    for stage, path in files.items():
        for runtime in ("litert", "tflm"):
            for split in SPLITS:
                figures = score(path, split, "--runtime", runtime)
                row[f"{stage} {runtime} {split}"] = figures["f1"]
    return row


def main() -> None:
    """Parses the words and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="none")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    weights = args.weights
    if weights not in ("none", "auto"):
        weights = str(Path(weights).resolve())
    for name in ("EDGECTL_DATA", "EDGECTL_WEIGHTS"):
        if name in os.environ:
            os.environ[name] = str(Path(os.environ[name]).resolve())
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        rows = [measure(seed, weights, args.epochs) for seed in args.seeds]
    names = list(rows[0])
    median = {n: statistics.median(r[n] for r in rows) for n in names}
    print("| | " + " | ".join(names[1:]) + " |")
    print("| --- |" + " ---: |" * (len(names) - 1))
    for label, row in [*((f"seed {r['seed']}", r) for r in rows), ("**median**", median)]:
        print(f"| {label} | " + " | ".join(f"{row[n]:.3f}" for n in names[1:]) + " |")


if __name__ == "__main__":
    main()
