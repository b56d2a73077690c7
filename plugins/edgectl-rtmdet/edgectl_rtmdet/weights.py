"""OpenMMLab's checkpoints, by key: whole detectors (``backbone. neck. bbox_head.``) or backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgectl.nn.state import fold_normalisation, load_by_key, read_state

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
"""ImageNet's, red first."""

_STEM = "backbone.stem.0.conv.weight"


def load_openmmlab(model: nn.Module, path: Path, *, unit_input: bool) -> dict[str, Any]:
    """Loads every tensor that fits: a file for other classes gives all but the class predictors.

    Those files expect blue first; their first convolution is turned round, since our pictures are
    red first. ``unit_input``: the network sees pixel / 255, so the files' normalisation is folded in.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    report = load_by_key(
        model,
        read_state(path),
        where=path,
        fix="use RTMDet or CSPNeXt weights of the variant's size, or --weights none",
    )
    if _STEM not in report["missing"]:
        conv = model.get_submodule("backbone.stem.0.conv")
        norm = model.get_submodule("backbone.stem.0.bn")
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            conv.weight.copy_(conv.weight.flip(1))
        if unit_input:
            fold_normalisation(conv, norm, MEAN, STD)
    return report
