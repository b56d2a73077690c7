"""OpenMMLab's checkpoints, by key: whole detectors (``backbone. neck. bbox_head.``) or backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgectl.nn.state import UNIT, Normalization, load_by_key, read_state, renormalize
from edgectl.nn.stem import color_stem

IMAGENET = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""What OpenMMLab's files were trained on."""

CENTRED = Normalization((114.0, 114.0, 114.0), IMAGENET.std)
"""What our network sees in their place. With one mean for all channels, and that the grey of the letterbox,
zero padding continues the image's border, and a device that is fed plain pixels can do the same
exactly: its PAD writes one number into all channels."""

_STEM = "backbone.stem.0.conv.weight"


def load_openmmlab(
    model: nn.Module, path: Path, *, unit_input: bool, fold: bool = True
) -> dict[str, Any]:
    """Loads every tensor that fits: a file for other classes gives all but the class predictors.

    Those files expect blue first and their own normalization; the first convolution is rewritten for
    red first and ours: pixel / 255 with ``unit_input``, else :data:`CENTRED`. Without ``fold`` the tensors
    stay as they are.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    conv = model.get_submodule("backbone.stem.0.conv")
    norm = model.get_submodule("backbone.stem.0.bn")
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    with color_stem(conv, UNIT if unit_input else CENTRED) as seen:
        report = load_by_key(
            model,
            read_state(path),
            where=path,
            fix="use RTMDet or CSPNeXt weights of the variant's size, or --weights none",
        )
        if fold and _STEM not in report["missing"]:
            with torch.no_grad():
                conv.weight.copy_(conv.weight.flip(1))
            renormalize(conv, norm, IMAGENET, seen)
    return report
