"""A network that computes the same and suffers less: for compilers that quantize themselves.

What edgectl's own quantizer does to the float weights before it chooses ranges - equalized channels, SiLUs
computed from two convolutions - helps any int8 compiler that has one scale a tensor.
"""

from __future__ import annotations

from torch import nn

from edgectl.backends.contract import VendorBackend
from edgectl.data.images.preprocess import normalize
from edgectl.errors import UnsupportedOpError
from edgectl.export.request import ExportRequest
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.module import GraphModule
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.runs.trained import nchw
from edgectl.spec import Progress

_BATCH = 16


def balance_network(
    request: ExportRequest[VendorBackend], scheme: QuantScheme, progress: Progress
) -> nn.Module | None:
    """None where the network is outside the op set, or ``quant`` asks for neither measure.

    Args:
        scheme: the compiler's arithmetic.
    """
    source, config = request.source, request.source.config.quant
    if request.calibration is None or not (config.equalize or config.split_silu):
        return None
    try:
        graph = source.trace()
    except UnsupportedOpError as e:
        progress(f"left as it is: {e.message}")
        return None
    images = [
        normalize(nchw(p), source.preprocess)
        for p in request.calibration.images(source.preprocess, _BATCH)
    ]
    # ranges and biases are the compiler's: only what changes the float network is wanted
    measures = config.model_copy(
        update={"observer": "mse", "bias_correction": False, "silence": False}
    )
    return GraphModule(calibrate(graph, scheme, lambda: images, measures, progress).graph)
