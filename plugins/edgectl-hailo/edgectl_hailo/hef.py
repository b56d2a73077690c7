"""What can be told of a HEF file without HailoRT: its header (hailort, hef_internal.hpp)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from edgectl.errors import ArtifactError

MAGIC = 0x01484546
_HEADER = struct.Struct(">III")
_SETTINGS = "compile.json"


def describe_hef(path: Path) -> dict[str, Any]:
    """``file_bytes``, ``hef_version``; ``inputs`` and ``outputs`` from the plan beside it, if any.

    Raises ArtifactError for what is no HEF.
    """
    with path.open("rb") as f:
        head = f.read(_HEADER.size)
    if len(head) < _HEADER.size or _HEADER.unpack(head)[0] != MAGIC:
        raise ArtifactError(
            "not a HEF file",
            where=str(path),
            fix="the model.hef that compile.py writes",
        )
    facts: dict[str, Any] = {
        "file_bytes": path.stat().st_size,
        "hef_version": _HEADER.unpack(head)[1],
        "inputs": [],
        "outputs": [],
    }
    plan = path.with_name(_SETTINGS)
    if plan.is_file():
        settings = json.loads(plan.read_text(encoding="utf-8"))
        ((name, (n, c, h, w)),) = settings["net_input_shapes"].items()
        facts["inputs"] = [{"name": name, "shape": [n, h, w, c], "dtype": "uint8"}]
        facts["outputs"] = [
            {"name": head["name"], "shape": _rows_first(head["shape"]), "dtype": "uint8"}
            for head in settings["heads"]
        ]
    return facts


def _rows_first(shape: list[int]) -> list[int]:
    return [shape[0], *shape[2:], shape[1]]
