"""Noise at the raw heads of an int8 file: our calibration against ai-edge-quantizer's, one float network.

    pip install ai-edge-quantizer
    python examples/benchmarks/head_noise.py runs/train/fomo-001

Both quantize the same float TFLite file from the same calibration images of *train*; both files run on
LiteRT's reference kernels over *valid*. Signal and noise are the logits, before any sigmoid.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def export(run: Path, precision: str, out: Path, *settings: str) -> Path:
    """Through the command line, without the sigmoid; returns the model file."""
    import edgectl

    settings = ("backend.tflite.append_activation=off", "quant.max_drop=1.0", *settings)
    edgectl.export(run, backend="tflite", precision=precision, out=out, set=settings)
    return out / "model.tflite"


def interpreter(content: bytes) -> Any:
    """LiteRT on its reference kernels."""
    from ai_edge_litert import interpreter as litert

    made = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    made.allocate_tensors()
    return made


def heads(content: bytes, images: np.ndarray) -> np.ndarray:
    """De-quantized outputs; images: (N, H, W, 3) uint8, fed as the file's input wants them."""
    made = interpreter(content)
    (given,), (wanted,) = made.get_input_details(), made.get_output_details()
    outputs = []
    for image in images:
        x = image[None].astype(np.float32) / 255.0
        if given["dtype"] == np.int8:
            scale, zero = given["quantization"]
            x = np.clip(np.rint(x / np.float32(scale)) + zero, -128, 127).astype(np.int8)
        made.set_tensor(given["index"], x)
        made.invoke()
        y = made.get_tensor(wanted["index"]).astype(np.float32)
        if wanted["dtype"] == np.int8:
            scale, zero = wanted["quantization"]
            y = (y - zero) * np.float32(scale)
        outputs.append(y)
    return np.concatenate(outputs)


def peer(float_file: Path, images: np.ndarray) -> bytes:
    """ai-edge-quantizer with its static int8 recipe and its own calibration."""
    from ai_edge_quantizer import quantizer, recipe

    made = interpreter(float_file.read_bytes())
    signature, details = next(iter(made.get_signature_list().items()))
    (name,) = details["inputs"]

    def feed() -> Iterator[dict[str, np.ndarray]]:
        for image in images:
            yield {name: image[None].astype(np.float32) / 255.0}

    q = quantizer.Quantizer(str(float_file), recipe.static_wi8_ai8())
    found = q.calibrate({signature: list(feed())})
    return bytes(q.quantize(found).quantized_model)


def main() -> None:
    """Prints three lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run

    from edgectl.data.catalog.opening import open_dataset
    from edgectl.data.loading.loader import EvalLoader
    from edgectl.data.select.calibration import calibration_list
    from edgectl.plugins.registry import build_registry
    from edgectl.quant.sqnr import sqnr_db
    from edgectl.runs.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(run / "checkpoints" / "best.pt")
    spec = checkpoint.preprocess
    infos = build_registry().datasets.infos()
    index = open_dataset(checkpoint.data["name"], infos=infos, offline=True)
    quant, seed = checkpoint.config["quant"], checkpoint.config["train"]["seed"]
    calibration = calibration_list(index.splits["train"], quant["calib_images"], seed)
    seen = np.concatenate(list(calibration.images(spec, 16)))
    valid = np.concatenate([b.images for b in EvalLoader(index.splits["valid"], spec, 16)])
    with tempfile.TemporaryDirectory() as directory:
        float_file = export(run, "fp32", Path(directory) / "fp32")
        ours = export(run, "int8", Path(directory) / "int8").read_bytes()
        plain = export(run, "int8", Path(directory) / "minmax", "quant.observer='minmax'",
                       "quant.equalize=false", "quant.bias_correction=false").read_bytes()  # fmt: skip
        reference = heads(float_file.read_bytes(), valid)
        theirs = peer(float_file, seen)
    print("| calibration | SQNR of the head logits on valid |\n| --- | ---: |")
    for name, content in (
        ("edgectl", ours),
        ("edgectl, min/max only", plain),
        ("ai-edge-quantizer, its own", theirs),
    ):
        print(f"| {name} | {sqnr_db(reference, heads(content, valid)):.1f} dB |")


if __name__ == "__main__":
    main()
