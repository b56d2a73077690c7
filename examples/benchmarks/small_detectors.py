"""Detectors for microcontrollers: what a variant costs, and what it finds in float and in int8.

    EDGECTL_DATA=... python examples/benchmarks/small_detectors.py --variant pico_relu6 --variant micro_relu6

Files: kB of the .tflite; with ``--arena`` the RAM of the C library, image in it and with rows from the
camera. AP is on *valid*; int8 on TensorFlow Lite Micro. Of centroids (``--family fomo``) it is F1.
"""

from __future__ import annotations

import argparse
import os
import tempfile

from commands import absolute_paths, keep, table

import edgectl


def measure(variant: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """One network, all the way to both files."""
    run = edgectl.train(
        args.family,
        variant=variant,
        data=args.data,
        imgsz=args.imgsz,
        epochs=args.epochs,
        weights=args.weights,
        seed=seed,
        set=args.set,
    )
    row: dict[str, float] = {"MMAC": edgectl.profile(run.path).macs / 1e6}
    metrics = edgectl.evaluate(run.best).metrics
    row |= {name: metrics[name] for name in ("AP", "AP50", "f1") if name in metrics}
    file = keep(lambda: edgectl.export(run, backend="tflite"))
    found = edgectl.evaluate(file, runtime="tflm").metrics
    row |= {f"int8 {name}": found[name] for name in ("AP", "AP50", "f1") if name in found}
    row["kB"] = file.model_bytes / 1e3
    if args.arena:
        for layout in ("whole", "rows"):
            row[f"KiB {layout}"] = arena_of(run, layout) / 1024
    return row


def arena_of(run: edgectl.Run, layout: str) -> int:
    """Bytes of RAM of the C library, the image ``whole`` in them or taken in ``rows``."""
    out = run.path / f"c-{layout}"
    library = keep(
        lambda: edgectl.export(run, backend="c", set={"backend.c.input": layout}, out=out)
    )
    return int(library.manifest.tensors.arena_bytes or 0)


def main() -> None:
    """Parses the words and prints a table a variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="rtmdet")
    parser.add_argument("--variant", action="append", required=True)
    parser.add_argument("--data", default="coco_mask")
    parser.add_argument("--imgsz", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--weights", default="auto", help="auto, none or a file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--arena", action="store_true", help="export to C as well")
    args = parser.parse_args()
    args.weights = absolute_paths(args.weights)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for variant in args.variant:
            print(f"\n{variant}\n")
            table(args.seeds, lambda seed, variant=variant: measure(variant, seed, args))  # type: ignore[misc]


if __name__ == "__main__":
    main()
