"""The whole way from graph to file with ranges that cost nothing, before the long search for good ones.

A graph that is not the network, or a file whose heads have other shapes, is found in seconds and not
after minutes of calibration.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edgectl.backends.contract import WriteRequest
from edgectl.config.schema import QuantConfig
from edgectl.errors import ArtifactError
from edgectl.export.parity import measure_graph_parity, measure_runtime_parity
from edgectl.export.request import ExportRequest
from edgectl.quant.calibrate import calibrate
from edgectl.quant.quantized import QuantizedGraph
from edgectl.runs.trained import nchw

if TYPE_CHECKING:
    import numpy as np

    from edgectl.backends.contract import Backend
    from edgectl.export.stages import Prepared

PLAIN_RANGES = QuantConfig(
    observer="minmax", silence=False, equalize=False, split_silu=0.0, bias_correction=False
)
"""Ranges as they are seen, without any search."""


def rehearse(prepared: Prepared, request: ExportRequest[Backend], images: np.ndarray) -> None:
    """Quantizes by plain ranges, writes the file into a temporary directory, and runs it.

    Args:
        images: uint8 (N, H, W, C); two are enough.

    Raises:
        GateFailedError: the float graph is not the network, a head of the file has another shape than
            the network's, or runtimes that must agree do not.
    """
    source, backend = request.source, request.backend
    measure_graph_parity(source, prepared.graph, None, prepared.outputs, [images], prepared.lower)
    stored: list[Tensor] = [prepared.lower(nchw(images))]
    scheme = backend.scheme(request.backend_config)
    quantized: QuantizedGraph = calibrate(prepared.graph, scheme, lambda: stored, PLAIN_RANGES)
    with tempfile.TemporaryDirectory(prefix="edgectl-rehearsal-") as temporary:
        directory = Path(temporary)
        try:
            files = backend.write(
                WriteRequest(
                    graph=quantized,
                    directory=directory,
                    outputs=prepared.outputs,
                    preprocess=source.preprocess,
                    classes=tuple(source.classes),
                    precision=request.precision,
                    config=request.backend_config,
                )
            )
        except ArtifactError:
            # perhaps a scale the search would not choose; if not, the real file says so again
            return
        with torch.no_grad():
            heads = source.predictor()(images)
        measure_runtime_parity(
            backend,
            request.info,
            files[0],
            runtimes=request.info.runtimes,
            exact=request.info.exact,
            specs=prepared.outputs,
            preprocess=source.preprocess,
            images=images,
            heads=heads,
        )
