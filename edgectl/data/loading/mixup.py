"""Two images in one, with a label for each: mixup (Zhang et al., 2018, arXiv:1710.09412) and cutmix
(Yun et al., 2019, arXiv:1905.04899)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from edgectl.config.schema import ClassifyConfig


def mixes(config: ClassifyConfig) -> bool:
    """Whether some batches are mixed."""
    return config.mix_share > 0 and (config.mixup > 0 or config.cutmix > 0)


Labelled = tuple[Tensor, Tensor]
"""Images, uint8 (B, C, H, W), and how much of each class they show, (B, C) float."""


def mix(
    batch: Labelled, others: Labelled, config: ClassifyConfig, rng: np.random.Generator
) -> Labelled:
    """Each image of a batch with its partner of ``others``.

    Returns:
        Images and shares of the same shapes; unchanged where the draw says so.
    """
    if rng.random() >= config.mix_share:
        return batch
    (images, shares), (other, other_shares) = batch, others
    blend = config.mixup > 0 and (config.cutmix == 0 or rng.random() < 0.5)
    alpha = config.mixup if blend else config.cutmix
    kept = float(rng.beta(alpha, alpha))
    if blend:
        mixed = torch.lerp(other.float(), images.float(), kept).round_().to(torch.uint8)
    else:
        mixed, kept = _paste(images, other, kept, rng)
    return mixed, kept * shares + (1.0 - kept) * other_shares


def _paste(
    images: Tensor, other: Tensor, kept: float, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """A patch of about ``1 - kept`` of the area; returns the share really kept, edges cut off."""
    height, width = images.shape[-2:]
    side = math.sqrt(1.0 - kept)
    y, x = int(rng.integers(height)), int(rng.integers(width))
    half_h, half_w = round(side * height / 2), round(side * width / 2)
    top, bottom = max(0, y - half_h), min(height, y + half_h)
    left, right = max(0, x - half_w), min(width, x + half_w)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)
