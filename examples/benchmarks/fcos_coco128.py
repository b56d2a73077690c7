"""FCOS-EfficientNet-B0 learns the 128 training images of coco128 by heart, and ships as int8.

    EDGECTL_DATA=... python examples/benchmarks/fcos_coco128.py --imgsz 256 --set train.precision=bf16

No augmentation, no pretrained weights: what assignment, losses and decoding can reach together, and what two
backends' int8 files keep of it, scored on those images. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from commands import absolute_paths, keep

import edgectl

PLAIN = [
    "data.holdout=0",
    "augment.mosaic=0",
    "augment.flip=0",
    "augment.hue=0",
    "augment.saturation=0",
    "augment.value=0",
    "augment.scale=[1.0, 1.0]",
    "augment.translate=0",
    "train.precision=fp32",
    "train.optimizer.name=adamw",
    "train.optimizer.lr=0.003",
    "train.optimizer.weight_decay=0.0001",
    # weighed by their overlap, boxes that do not fit yet would be learnt last
    "model.weigh_boxes=false",
    # scored once, at the end
    "train.eval_interval=1000",
]
FILES = {"tflite": "LiteRT", "ncnn": "ncnn"}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--imgsz", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="further settings")
    args = parser.parse_args()
    absolute_paths("none")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        start = time.perf_counter()
        run = edgectl.train(
            "fcos",
            variant="efficientnetb0",
            data="coco128",
            weights="none",
            imgsz=args.imgsz,
            epochs=args.epochs,
            seed=args.seed,
            set=[*PLAIN, *args.settings],
        )
        seconds = time.perf_counter() - start
        print("| | AP | AP50 | s |\n| --- | ---: | ---: | ---: |")
        report("float", run.best, seconds)
        for backend, runtime in FILES.items():
            start = time.perf_counter()
            file = export(run, backend)
            report(f"int8, {runtime}", file, time.perf_counter() - start)


def export(run: edgectl.Run, backend: str) -> edgectl.Artifact:
    """The int8 file, whatever it lost."""
    return keep(lambda: edgectl.export(run, backend=backend))


def report(name: str, model: os.PathLike[str], seconds: float) -> None:
    """One row: a model's figures on the images it was trained on."""
    figures = edgectl.evaluate(model, split="train").metrics
    print(f"| {name} | {figures['AP']:.3f} | {figures['AP50']:.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
