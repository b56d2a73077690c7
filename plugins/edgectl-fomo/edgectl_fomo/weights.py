"""ImageNet weights for the backbone, by torchvision's key names, their normalization folded in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from edgectl.nn.state import UNIT, Normalization, load_by_key, read_state, renormalize
from edgectl.nn.stem import color_stem
from edgectl.plugins.info import WeightsSource
from edgectl_fomo.backbone import InvertedResidual, MobileNetV2


def load_backbone(
    backbone: MobileNetV2, path: Path, source: WeightsSource | None
) -> dict[str, Any]:
    """Loads every tensor that fits and says which did not.

    Our network sees pixel / 255; weights trained on (pixel - mean) / std are rewritten for that.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    stem = backbone[0]
    assert isinstance(stem, nn.Sequential)
    conv, norm = stem[0], stem[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    with color_stem(conv, UNIT) as seen:
        report = load_by_key(
            backbone,
            read_state(path),
            where=path,
            fix="use MobileNetV2 weights of the variant's width, or --weights none",
            rename=lambda name: torchvision_key(backbone, name),
        )
        if source is not None and "0.0.weight" not in report["missing"]:
            renormalize(conv, norm, Normalization(source.mean, source.std), seen)
    return report


def torchvision_key(backbone: MobileNetV2, name: str) -> str:
    """``1.conv.1.0.weight`` (ours) to ``features.1.conv.1.weight``.

    torchvision writes a block's projection and its norm as two plain entries, not as a sequence.
    """
    parts = name.split(".")
    block = backbone[int(parts[0])]
    if isinstance(block, InvertedResidual):
        last = len(block.conv) - 1
        if int(parts[2]) == last:
            return f"features.{parts[0]}.conv.{last + int(parts[3])}.{parts[4]}"
    return f"features.{name}"
