"""Pretrained tensors from a file, by key, with an account of what fitted."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgectl.errors import ArtifactError


def read_state(path: Path) -> dict[str, Tensor]:
    """A file's tensors by name; a ``state_dict`` entry inside is unwrapped.

    Raises ArtifactError for anything that is not a plain dictionary of tensors.
    """
    fix = "use a state dict of tensors (.pth), or --weights none"
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise ArtifactError(
            "holds code or objects, not only tensors", where=str(path), fix=fix
        ) from e
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        struct.error,
    ) as e:
        raise ArtifactError(f"not a PyTorch weights file ({e})", where=str(path), fix=fix) from e
    if isinstance(document, dict) and isinstance(document.get("state_dict"), dict):
        document = document["state_dict"]
    if not isinstance(document, dict):
        raise ArtifactError("not a dictionary of tensors", where=str(path), fix=fix)
    return {k: v for k, v in document.items() if isinstance(v, Tensor)}


def load_by_key(
    model: nn.Module,
    state: dict[str, Tensor],
    *,
    where: Path,
    fix: str,
    rename: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Copies every tensor of ``state`` whose name and shape fit into ``model``.

    Args:
        rename: the model's key to the file's.
        where, fix: for the error.

    Returns:
        ``{"matched": n, "of": m, "missing": [keys of the model that found nothing]}``.

    Raises:
        ArtifactError: not one tensor fits.
    """
    own = model.state_dict()
    found = {k: state[rename(k)] for k in own if rename(k) in state}
    fitting = {k: v.to(own[k].dtype) for k, v in found.items() if v.shape == own[k].shape}
    if not fitting:
        raise ArtifactError(
            f"0 of {len(own)} tensors match in name and shape", where=str(where), fix=fix
        )
    model.load_state_dict({**own, **fitting})
    return {
        "matched": len(fitting),
        "of": len(own),
        "missing": [k for k in own if k not in fitting],
    }


@dataclass(frozen=True)
class Normalization:
    """What a network sees: ``(pixel - mean) / std`` a channel, red first, 0..255 units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


UNIT = Normalization((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
"""pixel / 255."""


def renormalize(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, source: Normalization, target: Normalization
) -> None:
    """Rewrites a first convolution trained on ``source`` for a network that sees ``target``.

    W (x - m) / s == (W t / s) ((x - a) / t) - sum(W (m - a) / s), with a and t the target's; the sum goes
    into the norm's mean. At the image's border zero padding then means the target's mean instead
    of the source's, which training mends.
    """
    weight = conv.weight.detach().double()
    m, s, a, t = (
        torch.tensor(v, dtype=torch.float64)[None, :, None, None]
        for v in (source.mean, source.std, target.mean, target.std)
    )
    assert norm.running_mean is not None
    offset = (weight * (m - a) / s).sum(dim=(1, 2, 3))
    norm.running_mean.copy_((norm.running_mean.double() + offset).float())
    with torch.no_grad():
        conv.weight.copy_((weight * t / s).float())


def abridge_names(names: Sequence[str], most: int = 4) -> str:
    """The first few names and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
