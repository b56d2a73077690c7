"""Golden vectors: images as the device is fed them, and what the file answered on this machine.

A board that returns the same numbers runs the same model on the same pixels; one that does not says which
image and which output to look at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgectl.backends.contract import Runner
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.labels import Sample
from edgectl.spec import OutputSpec, PreprocessSpec

_UNSAFE = r"[/\\\x00-\x1f:*?\"<>|]"


def golden_images(samples: Sequence[Sample], preprocess: PreprocessSpec) -> np.ndarray:
    """uint8 (N, H, W, C), as the network is fed them."""
    upright = (read_labelled(s, preprocess.pad_value)[0] for s in samples)
    return np.stack([resize_image(image, preprocess)[0] for image in upright])


def write_golden(
    directory: Path,
    images: np.ndarray,
    sources: Sequence[str],
    runner: Runner,
    specs: Sequence[OutputSpec],
    preprocess: PreprocessSpec,
    *,
    runtime: str,
    exact: bool,
) -> list[Path]:
    """``<i>.rgb`` (raw uint8, rows x columns x channels, in the spec's order: one channel in gray) and
    ``<i>.<output>.npy`` (float32, (C, H, W) or (C,)); ``golden.json`` names them.

    Args:
        images: uint8 (N, H, W, C), as :func:`golden_images` prepares them; ``sources``: their names.
        exact: whether ``runtime`` computes what the device does, bit for bit: then every number must
            be equal. Otherwise elements may differ by a step or two.
    """
    directory.mkdir()
    outputs = runner(images)
    entries, files = [], []
    for i, image in enumerate(images):
        pixels = directory / f"{i}.rgb"
        pixels.write_bytes(image.tobytes())
        files.append(pixels)
        named = {}
        for spec, output in zip(specs, outputs, strict=True):
            # an output may be called anything, a file may not
            path = directory / f"{i}.{re.sub(_UNSAFE, '_', spec.name)}.npy"
            np.save(path, output[i].astype(np.float32))
            named[spec.name] = path.name
            files.append(path)
        entries.append({"image": pixels.name, "source": sources[i], "outputs": named})
    rows, columns = preprocess.input_size
    document = {
        "runtime": runtime,
        "exact": exact,
        "shape": [rows, columns, preprocess.channels],
        "channel_order": preprocess.channel_order,
        "entries": entries,
    }
    listing = directory / "golden.json"
    listing.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return [*files, listing]
