"""What post-training quantization takes: processor seconds and memory, on 100 images.

    EDGECTL_DATA=... EDGECTL_WEIGHTS=... python examples/benchmarks/ptq_speed.py

Networks as they are published or initialized: the time depends on their shape, not on their weights.
Calibrated for the tflite backend in this process, nothing kept from before, without writing, checking or
scoring a file. The last column analyzes the result as `quant analyze` does. Prints one Markdown table.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

import torch
from commands import absolute_paths, edgectl

from edgectl.export.stages import calibration_input, prepare
from edgectl.quant.analyze.effects import measure_effects
from edgectl.quant.calibrate import calibrate
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import open_model

IMAGES = 100
NETWORKS = {
    "FOMO, 192 px": ("fomo", "coco_mask", "192", []),
    "RTMDet-nano, person, 320 px": ("rtmdet", "coco128", "320", ['data.classes=["person"]']),
}


def measure(words: tuple[str, str, str, list[str]]) -> tuple[float, float, float]:
    """(seconds of one float run over the images, of the quantization, of the analysis)."""
    family, data, size, settings = words
    extra = [w for s in settings for w in ("--set", s)]
    run = edgectl("train", family, "--data", data, "--imgsz", size, "--epochs", "0", *extra)
    context = open_context()
    opened = open_model(context.registry, Path(run["run"]), prefer_artifact=False)
    request = make_request(context, opened, "tflite", flags={"quant": {"calib_images": IMAGES}})
    prepared = prepare(request.source, request.backend, request.info, request.backend_config)
    given = calibration_input(prepared, request)
    start = time.process_time()
    with torch.no_grad():
        for batch in given.images:
            given.graph.run(batch)
    floating = time.process_time() - start
    start = time.process_time()
    scheme = request.backend.scheme(request.backend_config)
    config = request.source.config.quant
    found = calibrate(given.graph, scheme, lambda: given.images, config, roles=given.roles)
    quantizing = time.process_time() - start
    start = time.process_time()
    measure_effects(found, [given.images[0][:2], given.images[0][2:4]], given.roles)
    return floating, quantizing, time.process_time() - start


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    absolute_paths("auto")
    print("| | float run, s | quantized, s | times | analyzed, s | memory, MB |")
    print("| --- |" + " ---: |" * 5)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for name, words in NETWORKS.items():
            floating, quantizing, analyzing = measure(words)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"| {name} | {floating:.1f} | {quantizing:.1f} | {quantizing / floating:.1f} |"
                f" {analyzing:.1f} | {memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
