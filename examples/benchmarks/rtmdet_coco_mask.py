"""RTMDet on coco_mask, three seeds: float, PTQ and QAT files on both TFLite runtimes.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/rtmdet_coco_mask.py --variant nano_relu6

The cost of an activation: ``--variant nano --weights .../rtmdet_nano_person.pth --set model.act_layer=relu``.
Prints one Markdown table of AP on *valid*.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from commands import absolute_paths, keep, table

import edgectl

RUNTIMES = ("litert", "tflm")


def measure(seed: int, args: argparse.Namespace, weights: str) -> dict[str, float]:
    """One seed, all the way."""
    start = time.perf_counter()
    run = edgectl.train(
        "rtmdet",
        variant=args.variant,
        data="coco_mask",
        imgsz=args.imgsz,
        epochs=args.epochs,
        weights=weights,
        seed=seed,
        set=args.set,
    )
    row: dict[str, float] = {"train s": time.perf_counter() - start}
    figures = edgectl.evaluate(run.best).metrics
    row |= {"float AP": figures["AP"], "float AP50": figures["AP50"]}
    if args.float:
        return row
    ptq = keep(lambda: edgectl.export(run, backend="tflite"))
    qat = keep(lambda: edgectl.qat(run, backend="tflite", epochs=5, name=f"seed{seed}"))
    for stage, file in {"PTQ": ptq, "QAT": qat.artifact}.items():
        for runtime in RUNTIMES:
            row[f"{stage} {runtime}"] = edgectl.evaluate(file, runtime=runtime).metrics["AP"]
    return row


def main() -> None:
    """Parses the words and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", default="nano")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--imgsz", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--float", action="store_true", help="train and score only")
    args = parser.parse_args()
    weights = absolute_paths(args.weights)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        table(args.seeds, lambda seed: measure(seed, args, weights))


if __name__ == "__main__":
    main()
