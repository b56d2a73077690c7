"""What every artifact's manifest says of where it comes from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import sha256_of
from edgectl.export.request import ExportRequest
from edgectl.runs.provenance import versions
from edgectl.spec import OutputSpec


def provenance(request: ExportRequest[Any], outputs: Sequence[OutputSpec]) -> dict[str, Any]:
    """Everything known before there is a file. ``outputs``: of the file."""
    trained = request.trained
    checkpoint = trained.checkpoint
    point = request.operating_point or checkpoint.operating_point
    return {
        "backend": request.info.name,
        "precision": request.precision,
        "stage": request.stage,
        "family": checkpoint.family,
        "variant": checkpoint.variant,
        "model_config": trained.config.model,
        "task": request.task,
        "classes": list(trained.classes),
        "preprocess": trained.preprocess.to_dict(),
        "outputs": [s.to_dict() for s in outputs],
        "overlap": getattr(trained.postprocess(), "overlap", None),
        "operating_point": None if point is None else vars(point),
        "checkpoint": {
            # relative, so that a run directory can be moved or copied as a whole
            "path": Path(os.path.relpath(trained.path, request.out)).as_posix(),
            "sha256": sha256_of(trained.path),
            "epoch": checkpoint.epoch,
        },
        "data": checkpoint.data,
        "gates": list(trained.config.gates),
        "calibration": None if request.calibration is None else request.calibration.to_dict(),
        "tools": versions(),
    }
