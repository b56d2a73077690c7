"""Calibration images that cannot do their work: said before anything is decided by them.

What training saw is written in the network: batch norm keeps the mean and variance of every channel. Images
like those of training reproduce them; others do not, and where exchanging red and blue brings them closer,
the order is wrong.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgectl.quant.evidence import SIDE

_FLAT = 2.0
"""Standard deviation, of 255, below which an image shows nothing."""

_FAR = 0.75
"""Root of the mean square over channels: of the distance of their means in standard deviations of training,
or of the logarithm of the ratio of the standard deviations (0.75: about twice or half). Images like those of
training have a tenth and three tenths."""

_CLOSER = 0.6
"""Factor by which exchanged channels must be closer to be called exchanged; an image set of no particular
color has nearly one."""

_LOOKED_AT = 16


def describe_images(images: Sequence[Tensor]) -> list[str]:
    """Sentences on images that are useless as such. images: uint8 (N, C, H, W) batches."""
    seen: set[bytes] = set()
    total = flat = copies = 0
    for image in (i for batch in images for i in batch):
        total += 1
        flat += float(image.float().std()) < _FLAT
        digest = hashlib.blake2b(image.contiguous().numpy().tobytes(), digest_size=16).digest()
        copies += digest in seen
        seen.add(digest)
    remarks = []
    if total < 2 * SIDE:
        remarks.append(
            f"{total} calibration images: ranges are chosen on {total - total // 2} and judged on"
            f" {total // 2}; {2 * SIDE} or more are needed to judge well"
        )
    if flat:
        remarks.append(f"{flat} of {total} calibration images show nothing: they are of one color")
    if copies:
        remarks.append(f"{copies} of {total} calibration images are copies of others")
    return remarks


def compare_with_training(network: nn.Module, x: Tensor) -> list[str]:
    """Sentences on images unlike those the network was trained on; none for one without batch norm.

    Args:
        network: in evaluation mode, before its batch norms are folded.
        x: (N, 3, H, W) as the network takes it.
    """
    x = x[:_LOOKED_AT]
    distance = training_distance(network, x)
    if distance is None:
        return []
    exchanged = training_distance(network, x.flip(1)) if x.shape[1] == 3 else None
    if exchanged is not None and exchanged[0] < _CLOSER * distance[0]:
        return [
            "the calibration images look as if red and blue were exchanged: the other way round they are"
            f" {distance[0] / max(exchanged[0], 1e-6):.1f} times as close to what the network was trained on"
        ]
    if distance[0] > _FAR:
        what = f"their means are {distance[0]:.1f} standard deviations off"
    elif distance[1] > _FAR:
        what = f"their contrast differs by a factor of {math.exp(distance[1]):.1f}"
    else:
        return []
    return [
        f"the calibration images are unlike those of training: behind the first convolution {what};"
        " take images of the scene the network was trained for"
    ]


def training_distance(network: nn.Module, x: Tensor) -> tuple[float, float] | None:
    """How far the input of the first batch norm is from training's: (means in standard deviations,
    logarithm of the ratio of standard deviations), roots of mean squares over channels; None where there
    is no batch norm."""
    found: list[tuple[float, float]] = []

    def listen(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        if found or module.running_mean is None or module.running_var is None:
            return
        trained = module.running_var + module.eps
        mean = inputs[0].mean(dim=(0, 2, 3))
        ratio = (inputs[0].var(dim=(0, 2, 3), correction=0) + module.eps) / trained
        off = (mean - module.running_mean) / trained.sqrt()
        means, spreads = (float(v.square().mean().sqrt()) for v in (off, 0.5 * ratio.log()))
        found.append((means, spreads))

    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [m.register_forward_pre_hook(listen) for m in norms]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None
