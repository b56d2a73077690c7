"""The decoder boards run, in this process: ``board/decode.py`` as it is shipped."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.tasks.decode_rule import decode_rule
from edgectl.tasks.lookup import task_info

THRESHOLD = 0.25
"""Score threshold of detectors, whose checkpoints store none: what firmwares show."""
OVERLAP = 0.65

Result = tuple[int, float, tuple[float, float, float, float] | None]
"""Label, score, and box in pixels of the network's input."""


def decoding(manifest: Manifest) -> dict[str, Any]:
    """The part of ``model.json`` that says how heads are read.

    Raises:
        UsageError: heads the task's decoder does not read.
    """
    point, overlap = manifest.operating_point, manifest.overlap
    return {
        "threshold": point.threshold if point else THRESHOLD,
        "overlap": OVERLAP if overlap is None else overlap,
        "most_shown": task_info(manifest.task).most_shown,
        "outputs": [spec.to_dict() for spec in manifest.outputs],
        "decode": decode_rule(manifest.task, manifest.outputs).to_dict(),
    }


def decode(heads: Mapping[str, np.ndarray], model: Mapping[str, Any]) -> list[Result]:
    """Results, the best first.

    Args:
        heads: float32 (C, H, W) or (C,), by the name of the output.
        model: as :func:`decoding` returns it.
    """
    found: list[Result] = _module().decode(heads, model)
    return found


@cache
def _module() -> Any:
    with resources.as_file(resources.files("edgectl.deploy") / "board" / "decode.py") as path:
        spec = importlib.util.spec_from_file_location("edgectl_board_decode", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module
