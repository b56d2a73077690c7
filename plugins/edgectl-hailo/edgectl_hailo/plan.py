"""Everything the compiler needs, in the artifact's directory: script, model script, settings, images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from edgectl.backends.network import INPUT, Network, Plan
from edgectl.errors import UsageError
from edgectl_hailo.config import HailoConfig
from edgectl_hailo.heads import heads_of
from edgectl_hailo.levels import choose_level
from edgectl_hailo.script import model_script

SETTINGS = "compile.json"
COMPILE = "compile.py"
SERVE = "serve.py"
HEF = "model.hef"
PARSED, OPTIMISED = "model_parsed.har", "model_optimized.har"
CALIBRATION = "calibration.npy"
SCRIPT = "model.alls"


def write_plan(network: Network, directory: Path, config: HailoConfig) -> Plan:
    """``compile.py``, ``compile.json``, ``model.alls``, ``calibration.npy``.

    Raises:
        UsageError: no calibration images.
    """
    images = write_calibration(network, directory / CALIBRATION)
    level, remarks = choose_level(config, images)
    spec = network.preprocess
    script = model_script(spec, config, level=level, images=images)
    (directory / SCRIPT).write_text(script, encoding="utf-8")
    settings = {
        "network": "model",
        "onnx": network.file.name,
        "hw_arch": config.hw_arch,
        "start_node_names": [INPUT],
        "net_input_shapes": {INPUT: [1, spec.channels, *network.input_size]},
        "heads": [head.to_dict() for head in heads_of(network)],
        "script": SCRIPT,
        "calibration": CALIBRATION,
        "optimization_level": level,
        "parsed_har": PARSED,
        "optimized_har": OPTIMISED,
        "hef": HEF,
        # of the network behind the model script: what sdk-native is fed
        "channel_order": spec.channel_order,
        "mean": list(spec.mean),
        "std": list(spec.std),
    }
    _write_json(directory / SETTINGS, settings)
    source = (resources.files("edgectl_hailo") / "job" / COMPILE).read_text(encoding="utf-8")
    (directory / COMPILE).write_text(source, encoding="utf-8")
    return Plan((COMPILE,), HEF, tuple(remarks))


def write_calibration(network: Network, path: Path) -> int:
    """uint8 (N, rows, columns, C), red first: the pixels training sees, before normalization, which the
    model script does on the device. Returns N."""
    if network.calibration is None or not network.calibration.files:
        raise UsageError("the compiler quantizes on images", fix="add --calib DATA or --calib DIR")
    count = len(network.calibration.files)
    shape = (count, *network.input_size, network.preprocess.channels)
    array = open_memmap(path, "w+", np.uint8, shape)
    for row, image in zip(array, network.images(), strict=True):
        row[:] = red_first(image, network.preprocess.channel_order)
    array.flush()
    return count


def red_first(images: np.ndarray, channel_order: str) -> np.ndarray:
    """(..., C) in ``channel_order`` to rgb; gray stays gray."""
    return images[..., ::-1] if channel_order == "bgr" else images


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
