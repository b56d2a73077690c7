"""ImageNet weights for the backbone, by torchvision's key names, their normalisation folded in."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgectl.errors import ArtifactError
from edgectl.types import WeightsSource
from edgectl_fomo.backbone import InvertedResidual, MobileNetV2


def load_backbone(
    backbone: MobileNetV2, path: Path, source: WeightsSource | None
) -> dict[str, Any]:
    """Loads every tensor that fits and says which did not.

    Our network sees pixel / 255; weights trained on (pixel - mean) / std are rewritten for that. At the
    picture's border the padding then means black instead of the mean, which training mends.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    state = read_state(path)
    own = backbone.state_dict()
    matched, missing = 0, []
    for name, tensor in own.items():
        loaded = state.get(torchvision_key(backbone, name))
        if loaded is not None and loaded.shape == tensor.shape:
            own[name] = loaded.to(tensor.dtype)
            matched += 1
        else:
            missing.append(name)
    if not matched:
        raise ArtifactError(
            f"0 of {len(own)} backbone tensors match in name and shape",
            where=str(path),
            fix="use MobileNetV2 weights of the variant's width, or --weights none",
        )
    if source is not None and "0.0.weight" not in missing:
        _fold_normalisation(own, source)
    backbone.load_state_dict(own)
    return {"matched": matched, "of": len(own), "missing": missing}


def read_state(path: Path) -> dict[str, Tensor]:
    """Raises ArtifactError for anything that is not a plain dictionary of tensors."""
    fix = "use a state dict of tensors (.pth), or --weights none"
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise ArtifactError(
            "holds code or objects, not only tensors", where=str(path), fix=fix
        ) from e
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as e:
        raise ArtifactError(f"not a PyTorch weights file ({e})", where=str(path), fix=fix) from e
    if isinstance(document, dict) and isinstance(document.get("state_dict"), dict):
        document = document["state_dict"]
    if not isinstance(document, dict):
        raise ArtifactError("not a dictionary of tensors", where=str(path), fix=fix)
    return {k: v for k, v in document.items() if isinstance(v, Tensor)}


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


def _fold_normalisation(state: dict[str, Tensor], source: WeightsSource) -> None:
    """W (x - m) / s  ==  (W 255 / s) (x / 255) - sum(W m / s); the constant goes into the norm's mean."""
    weight = state["0.0.weight"].double()
    mean = torch.tensor(source.mean, dtype=torch.float64)[None, :, None, None]
    std = torch.tensor(source.std, dtype=torch.float64)[None, :, None, None]
    offset = (weight * mean / std).sum(dim=(1, 2, 3))
    state["0.1.running_mean"] = (state["0.1.running_mean"].double() + offset).float()
    state["0.0.weight"] = (weight * 255.0 / std).float()
