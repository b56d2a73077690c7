"""Tensor arena and time per image of a run's int8 file, expansions computed whole and in slices.

    python examples/benchmarks/arena.py runs/train/fomo-001

The outputs of the two files are compared byte for byte.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Prints a table and whether the outputs are the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run

    from edgectl_tflite.backend import TfliteBackend

    import edgectl

    backend = TfliteBackend()
    print("| slices | arena, bytes | largest live tensors, bytes | LiteRT ms | TFLM ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    outputs = []
    with tempfile.TemporaryDirectory() as directory:
        for split in ("off", "auto"):
            out = Path(directory) / split
            file = edgectl.export(
                run, backend="tflite", out=out, set={"backend.tflite.split": split}
            )
            manifest = file.manifest
            tensors, size = manifest.tensors, manifest.preprocess.input_size
            images = np.random.default_rng(0).integers(0, 256, (20, *size, 3), dtype=np.uint8)
            times = {}
            for runtime in ("litert", "tflm"):
                runner = backend.open(
                    out / "model.tflite", runtime=runtime, specs=(), preprocess=manifest.preprocess
                )
                runner.raw(images[:2])
                start = time.perf_counter()
                codes = runner.raw(images)
                times[runtime] = (time.perf_counter() - start) / len(images) * 1e3
            outputs.append(codes)
            print(
                f"| {split} | {tensors.arena_bytes:,} | {tensors.facts['peak']['live_bytes']:,} "
                f"| {times['litert']:.2f} | {times['tflm']:.1f} |"
            )
    same = all(np.array_equal(a, b) for a, b in zip(*outputs, strict=True))
    print("\nthe outputs are " + ("the same, every byte" if same else "DIFFERENT"))


if __name__ == "__main__":
    main()
