"""What each measure of post-training quantization buys on a real SiLU detector.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/rtmdet_person_ptq.py

OpenMMLab's RTMDet-nano for people at 320 px, as published: no training, calibrated on train images of
coco128 without labels, the file scored on its validation images on LiteRT. Prints one Markdown table.
"""

from __future__ import annotations

import os
import tempfile
import time

from commands import absolute_paths, keep

import edgectl

PLAIN = [
    "quant.equalize=false",
    "quant.bias_correction=false",
    "quant.silence=false",
    "quant.split_silu=0",
    "quant.seconds=0",
]
MEASURES = {
    "min/max ranges": ["quant.observer=minmax", *PLAIN],
    "least squared error of each tensor": ["quant.observer=mse", *PLAIN],
    "least squared error of the heads": ["quant.observer=downstream", *PLAIN],
    "+ channels balanced, SiLUs split, 20 % more MACs": [
        "quant.observer=downstream",
        "quant.bias_correction=false",
        "quant.seconds=0",
    ],
    "all (default)": [],
}


def export(run: edgectl.Run, out: str, settings: list[str]) -> edgectl.Artifact:
    """The file with these settings, whatever it lost."""
    return keep(lambda: edgectl.export(run, backend="tflite", out=out, set=settings))


def main() -> None:
    """Prints the table."""
    absolute_paths("auto")
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        run = edgectl.train(
            "rtmdet", data="coco128", imgsz=320, epochs=0, set={"data.classes": ["person"]}
        )
        figures = run.metrics
        print("| | AP | AP50 | s |\n| --- | ---: | ---: | ---: |")
        print(f"| float | {figures['AP']:.3f} | {figures['AP50']:.3f} | |", flush=True)
        for number, (name, settings) in enumerate(MEASURES.items()):
            start = time.perf_counter()
            file = export(run, f"file{number}", settings)
            seconds = time.perf_counter() - start
            figures = edgectl.evaluate(file).metrics
            print(
                f"| {name} | {figures['AP']:.3f} | {figures['AP50']:.3f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
