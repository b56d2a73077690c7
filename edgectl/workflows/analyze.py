"""Which tensor of a network costs what in a backend's integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgectl.errors import UsageError
from edgectl.export.stages import calibration_input, prepare, quantize_raw
from edgectl.files import write_text
from edgectl.quant.analyze.effects import measure_effects
from edgectl.quant.analyze.findings import Analysis, describe_effects
from edgectl.quant.analyze.page import render_page
from edgectl.quant.evidence import spread
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.models import open_model

_IMAGES = 4
"""Enough to rank tensors, and little enough to take seconds."""

_CHUNK = 2


@dataclass(frozen=True)
class AnalyzedModel:
    """What was analyzed, and what was found."""

    model: str
    backend: str
    analysis: Analysis

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``quant analyze --json``."""
        return {"model": self.model, "backend": self.backend, **self.analysis.to_dict()}


def analyze(
    context: Context,
    model: Path | None,
    backend: str,
    *,
    calib: str | None = None,
    calib_images: int | None = None,
    html: Path | None = None,
    assignments: Sequence[str] = (),
) -> AnalyzedModel:
    """``edgectl quant analyze``: calibrates as ``export`` does, or takes what that left, and measures.

    Args:
        html: where to write the page.

    Raises:
        UsageError: a backend that quantizes with its vendor's tool, or no calibration images.
    """
    opened = open_model(context.registry, model, prefer_artifact=False)
    flags: dict[str, Any] = {"quant": {"calib_images": calib_images}} if calib_images else {}
    request = make_request(
        context,
        opened,
        backend,
        precision="int8",
        calib=calib,
        flags=flags,
        assignments=list(assignments),
    )
    if request.info.takes != "graph":
        raise UsageError(
            f"{backend} quantizes with its vendor's tool, which shows no tensors",
            where="--backend",
            fix="analyze for a backend that writes its files itself: edgectl plugins list",
        )
    note = context.console.note
    prepared = prepare(request.source, request.backend, request.info, request.backend_config)
    given = calibration_input(prepared, request)
    for remark in given.remarks:
        context.console.warn(remark)
    quantized = quantize_raw(given, request, note)
    note("measuring what each tensor costs")
    images = torch.cat(given.images)
    chosen = images[spread(range(len(images)), _IMAGES)]
    chunks = [chosen[i : i + _CHUNK] for i in range(0, len(chosen), _CHUNK)]
    effects = measure_effects(quantized, chunks, given.roles)
    found = describe_effects(quantized, effects)
    if html is not None:
        title = f"{opened.location.path.name} in the integers of {backend}"
        write_text(html, render_page(title, found, quantized.graph))
    return AnalyzedModel(str(opened.location.path), backend, found)
