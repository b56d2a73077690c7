"""edgectl beside onnxruntime's own quantizer, on a network neither of them trained.

    python examples/benchmarks/foreign_networks.py yolox_nano_coco_416.onnx --data coco128 --decode yolox \
        --mean 0 --std 1 --channel-order bgr

Both are given the same body, cut at the same heads, the same calibration images (of *train*) and the same
decoding; both are scored on *valid*. CPU seconds are of quantizing alone. A quantizer that is not installed
is named and left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import edgectl
from edgectl.data.images.preprocess import normalize
from edgectl.data.index import DatasetIndex
from edgectl.data.select.calibration import CalibrationSet, calibration_list
from edgectl.evaluation.agreement import images_of_split, score_agreement
from edgectl.evaluation.evaluate import EvaluationTarget, score, target_from_source
from edgectl.quant.graph.onnx_file import extract_body, read_onnx
from edgectl.runs.trained import nchw
from edgectl.sources.options import Statement
from edgectl.sources.source import Source
from edgectl.spec import PreprocessSpec
from edgectl.tasks.lookup import task_info
from edgectl.workflows.opening.anything import open_anything, restrict_to_classes
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_run_data
from edgectl.workflows.opening.models import open_for_evaluation, open_model
from edgectl.workflows.opening.networks import NetworkOptions, read_statement

_BATCH = 8


def read_arguments() -> argparse.Namespace:
    """The network, the set, and what has to be said of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--calib-images", type=int, default=100)
    parser.add_argument("--imgsz", default=None)
    for name in ("mean", "std", "channel-order", "resize", "decode", "classes"):
        parser.add_argument(f"--{name}", default=None)
    return parser.parse_args()


def measure(target: EvaluationTarget, source: Source, index: DatasetIndex) -> tuple[str, float]:
    """The main metric on *valid*; agreement with the float outputs where there is no decode rule."""
    if not source.decoded:
        images = images_of_split(index, "valid")
        report = score_agreement(target, target_from_source(source, None), images)
        return "agreement", float(report.metrics["agreement"])
    name = task_info(source.task).main_metric
    return name, float(score(target, index, "valid").metrics[name])


def quantize_with_edgectl(
    arguments: argparse.Namespace, options: NetworkOptions, place: Path
) -> Path:
    """An int8 TFLite artifact by ``edgectl.quantize``'s defaults; not scored on the way."""
    artifact = edgectl.quantize(
        arguments.model,
        backend="tflite",
        calib=arguments.data,
        calib_images=arguments.calib_images,
        imgsz=arguments.imgsz,
        out=place / "edgectl",
        **options,
    )
    return artifact.directory


def quantize_with_onnxruntime(
    arguments: argparse.Namespace,
    said: Statement,
    source: Source,
    images: CalibrationSet,
    place: Path,
) -> Callable[[np.ndarray], list[Tensor]]:
    """QDQ, a scale a channel, ranges by minimum and maximum; as a predictor."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantFormat, quantize_static

    body = place / "body.onnx"
    network = read_onnx(arguments.model, said.input_size)
    onnx.save(extract_body(network), body)
    entry = network.model.graph.input[0].name
    spec = source.preprocess

    class Images:
        """What onnxruntime calls a data reader."""

        def __init__(self) -> None:
            self.left = iterate_inputs(images, spec)

        def get_next(self) -> dict[str, np.ndarray] | None:
            x = next(self.left, None)
            return None if x is None else {entry: x}

    file = place / "qdq.onnx"
    reader: Any = Images()
    quantize_static(body, file, reader, quant_format=QuantFormat.QDQ, per_channel=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def predict(pixels: np.ndarray) -> list[Tensor]:
        x = normalize(nchw(pixels), spec).numpy()
        rows = [session.run(list(network.heads), {entry: x[i : i + 1]}) for i in range(len(x))]
        return [torch.cat([torch.from_numpy(r[k]) for r in rows]) for k in range(len(rows[0]))]

    return predict


def iterate_inputs(images: CalibrationSet, spec: PreprocessSpec) -> Iterator[np.ndarray]:
    """float32 (1, C, H, W), one by one."""
    for batch in images.images(spec, _BATCH):
        x = normalize(nchw(batch), spec).numpy()
        yield from (x[i : i + 1] for i in range(len(x)))


def main() -> None:
    """Prints a line a quantizer."""
    arguments = read_arguments()
    names = ("mean", "std", "channel_order", "resize", "decode", "classes")
    options: NetworkOptions = {n: getattr(arguments, n) for n in names}  # type: ignore[assignment,misc]
    context, said = open_context(), read_statement(options, arguments.imgsz)
    opened = open_anything(
        context, arguments.model, said, prefer_artifact=False, data=arguments.data
    )
    source = opened.source
    assert source is not None
    index = open_run_data(context, arguments.data, source.config)
    if source.decoded:
        index = restrict_to_classes(context, index, source.classes)
    reference = target_from_source(source, None)
    name, value = measure(reference, source, index)
    print(f"{'float':24} {name} {value:.4f}")
    images = calibration_list(
        index.splits["train"], arguments.calib_images, source.config.train.seed
    )
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        start = time.process_time()
        directory = quantize_with_edgectl(arguments, options, place)
        seconds = time.process_time() - start
        artifact = open_model(context.registry, directory, prefer_artifact=True)
        target = open_for_evaluation(context.registry, artifact, runtime=None, threshold=None)
        value = measure(replace(target, classes=source.classes), source, index)[1]
        print(f"{'edgectl':24} {name} {value:.4f}  {seconds:.0f} CPU s")
        start = time.process_time()
        try:
            predict = quantize_with_onnxruntime(arguments, said, source, images, place)
        except ImportError as e:
            print(f"{'onnxruntime QDQ':24} not installed: {e}")
            return
        seconds = time.process_time() - start
        value = measure(replace(reference, predict=predict), source, index)[1]
        print(f"{'onnxruntime QDQ':24} {name} {value:.4f}  {seconds:.0f} CPU s")


if __name__ == "__main__":
    main()
