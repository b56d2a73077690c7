"""The package MaixHub's online converter takes: the way to a V831 that boards are known to load.

A zip without password. In its root exactly one ``.param`` and one ``.bin``, float, and a directory
``images`` with images only, prepared as in training.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.spec import PreprocessSpec
from edgectl_ncnn.awnn.write import INPUT, output_names
from edgectl_ncnn.writer.write import build_model

_QUALITY = 95
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A fixed date: the same model gives the same bytes."""


def write_package(
    path: Path,
    graph: QuantGraph,
    images: Iterable[np.ndarray],
    preprocess: PreprocessSpec,
    count: int,
) -> Path:
    """Writes the zip.

    Args:
        graph: float, of the normalized input.
        images: uint8 (N, H, W, C) batches, resized, in the spec's channel order.
        count: how many of them to put in.
    """
    model = build_model(graph, output_names(len(graph.outputs)), input_name=INPUT)
    singles = (image for batch in images for image in batch)
    with zipfile.ZipFile(path, "w") as archive:
        _store(archive, "model.param", model.param_text().encode())
        _store(archive, "model.bin", model.bin_bytes())
        for i, image in enumerate(islice(singles, count)):
            bgr = image[:, :, ::-1] if preprocess.channel_order == "rgb" else image
            settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
            _, data = cv2.imencode(".jpg", np.ascontiguousarray(bgr), settings)
            _store(archive, f"images/{i:04d}.jpg", data.tobytes())
    return path


def _store(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)
