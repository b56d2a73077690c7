"""Which cause costs what when a detector collapses in int8: 2 x 2 x 2, one float network an activation.

    EDGECTL_DATA=... python examples/benchmarks/int8_causes.py --epochs 100 --seeds 0 1 2

A published tutorial goes from AP .506 to .046 by post-training quantization, and several causes changed at
once between it and its repaired successor. Here they change one at a time, on RTMDet-nano, coco_mask, 192 px,
files scored on LiteRT:

* preprocessing: the file computes what training computed, or (pixel - 0) / 255 with red and blue exchanged;
* activation: ReLU6 or ReLU;
* calibration: 100 letterboxed train images, or 20 stretched images of another data set.

The quantizer is the plain one of such tutorials (min/max, no equalization, no bias correction, dead
channels left); the last column shows edgectl's own on the same network. Prints one Markdown table,
medians over the seeds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from commands import absolute_paths

import edgectl
from edgectl.data.select.calibration import CalibrationSet, calibration_from_directory
from edgectl.export.stages import export_model
from edgectl.plugins.registry import build_registry
from edgectl.sources.source import from_trained
from edgectl.spec import PreprocessSpec
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import OpenModel, open_model

PLAIN = [
    "quant.observer=minmax",
    "quant.equalize=false",
    "quant.bias_correction=false",
    "quant.silence=false",
]
NO_LIMIT = "quant.max_drop=1.0"


class Stretched(CalibrationSet):
    """Images brought to size without regard to their shape."""

    def images(self, spec: PreprocessSpec, batch: int) -> Iterator[np.ndarray]:
        """As the converters of such tutorials read them."""
        return super().images(replace(spec, resize="stretch"), batch)


def foreign(directory: Path) -> Stretched:
    """Twenty images that have nothing to do with the task."""
    found = calibration_from_directory(directory, 20, 0)
    return Stretched(found.files, found.sha256, found.seed, found.source)


def misread(model: OpenModel) -> OpenModel:
    """A network whose deployment was told another preprocessing than its training."""
    assert model.trained is not None
    spec = model.trained.preprocess
    wrong = replace(spec, mean=(0.0,) * 3, std=(255.0,) * 3, channel_order="bgr")
    checkpoint = replace(model.trained.checkpoint, preprocess=wrong)
    trained = replace(model.trained, checkpoint=checkpoint)
    return replace(model, source=from_trained(trained, model.task))


def scores(
    model: OpenModel, calibration: CalibrationSet | None, plain: bool
) -> tuple[float, float]:
    """AP of the float network and of its int8 file."""
    request = make_request(
        open_context(),
        model,
        "tflite",
        out=Path("file"),
        assignments=[*(PLAIN if plain else []), NO_LIMIT],
    )
    if calibration is not None:
        request = replace(request, calibration=calibration)
    scored = export_model(request).manifest.metrics
    assert scored is not None
    return scored.network.metrics["AP"], scored.file.metrics["AP"]


def measure(activation: str, seed: int, epochs: int, strangers: Path) -> dict[str, float]:
    """All cells of one network."""
    run = edgectl.train(
        "rtmdet",
        variant=f"nano_{activation}",
        data="coco_mask",
        imgsz=192,
        epochs=epochs,
        weights="none",
        seed=seed,
    )
    right = open_model(build_registry(), run.best, prefer_artifact=False)
    row = {}
    for preprocessing, model in {"same": right, "other": misread(right)}.items():
        row[f"{preprocessing} float"], row[f"{preprocessing} train"] = scores(model, None, True)
        _, row[f"{preprocessing} foreign"] = scores(model, foreign(strangers), True)
    _, row["edgectl"] = scores(right, None, False)
    return row


def main() -> None:
    """Parses the words and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--foreign", type=Path, help="a directory of other images; default: coco128's"
    )
    args = parser.parse_args()
    absolute_paths("none")
    data = Path(os.environ.get("EDGECTL_DATA", "datasets"))
    strangers = (args.foreign or data / "coco128" / "train2017").resolve()
    columns = ("float", "train", "foreign")
    print(
        "| activation | preprocessing | float | calibrated on train | on foreign images | edgectl |"
    )
    print("| --- | --- |" + " ---: |" * 4)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for activation in ("relu6", "relu"):
            rows = [measure(activation, seed, args.epochs, strangers) for seed in args.seeds]
            median = {key: statistics.median(r[key] for r in rows) for key in rows[0]}
            for preprocessing in ("same", "other"):
                cells = [f"{median[f'{preprocessing} {c}']:.3f}" for c in columns]
                cells.append(f"{median['edgectl']:.3f}" if preprocessing == "same" else "")
                print(f"| {activation} | {preprocessing} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
