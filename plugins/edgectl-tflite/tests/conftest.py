"""Files of small random networks, and the runtimes that judge them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.runtime import LiteRtRunner
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.write import write_model

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.quantized import QuantizedGraph
from edgectl.testing.networks import Net, fomo, images_for, lowered, quantize


def write(graph: QuantGraph | QuantizedGraph) -> ModelFile:
    outputs = (graph.graph if isinstance(graph, QuantizedGraph) else graph).outputs
    return parse_model(write_model(graph, [f"out{i}" for i in range(len(outputs))], "test"))


def differing_bytes(model: ModelFile, images: np.ndarray, micro: bool = True) -> int:
    """Integer executor against the real interpreter; LiteRT's reference kernels where not ``micro``."""
    x = (images ^ 0x80).view(np.int8)
    ours = IntegerExecutor(model).run(x)
    runner = LiteRtRunner(model, reference=True) if not micro else None
    run = MicroInterpreter(model).run if runner is None else lambda v: runner.execute(v[0])
    differing = 0
    for i in range(len(x)):
        theirs = run([x[i : i + 1]])
        differing += sum(np.count_nonzero(a[i] != b[0]) for a, b in zip(ours, theirs, strict=True))
    return differing


@pytest.fixture(scope="session")
def nets() -> SimpleNamespace:
    """The helpers of this file."""
    return SimpleNamespace(
        Net=Net,
        fomo=fomo,
        images_for=images_for,
        quantize=quantize,
        write=write,
        lowered=lowered,
        differing_bytes=differing_bytes,
    )


@pytest.fixture(scope="session")
def tflm() -> None:
    """Skips where the interpreter is not installed."""
    pytest.importorskip("tflite_micro", reason="tflite-micro is an extra")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Path of a file other programs wrote; skips where the collection is absent."""
    default = Path(__file__).parents[4] / "shared" / "golden"
    directory = Path(os.environ.get("EDGECTL_GOLDEN", default))

    def find(name: str) -> Path:
        if not (directory / name).is_file():
            pytest.skip(f"no golden files in {directory}")
        return directory / name

    return find
