"""RandAugment: a few operations drawn at random, all of one strength (Cubuk et al., 2020,
arXiv:1909.13719).

torchvision computes the operations; the drawing is done here, since its transforms draw from torch's
one global generator and a training sample must depend on nothing but its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from edgectl.nn.vision import vision
from edgectl.spec import PreprocessSpec

functional = vision("transforms.v2.functional")
_BILINEAR = vision("transforms").InterpolationMode.BILINEAR
_SHEAR, _ROTATION = 17.0, 30.0
_SHIFT = 0.45
_COLOUR = 0.9
"""Full strength: degrees, share of the side, relative change; the paper's ranges."""


def _warp(
    x: Tensor, fill: float, *, angle: float = 0.0, shift: tuple[float, float] = (0.0, 0.0),
    shear: tuple[float, float] = (0.0, 0.0),
) -> Tensor:  # fmt: skip
    height, width = x.shape[-2:]
    pixels = [round(shift[0] * width), round(shift[1] * height)]
    warped: Tensor = functional.affine(
        x, angle, pixels, 1.0, list(shear), interpolation=_BILINEAR, fill=[fill] * x.shape[-3]
    )
    return warped


Operation = Callable[[Tensor, float, float], Tensor]
"""f(uint8 (C, H, W), strength -1..1, fill 0..255). Where a sign means nothing it is ignored."""

OPERATIONS: dict[str, Operation] = {
    "identity": lambda x, s, fill: x,
    "shear_x": lambda x, s, fill: _warp(x, fill, shear=(_SHEAR * s, 0.0)),
    "shear_y": lambda x, s, fill: _warp(x, fill, shear=(0.0, _SHEAR * s)),
    "translate_x": lambda x, s, fill: _warp(x, fill, shift=(_SHIFT * s, 0.0)),
    "translate_y": lambda x, s, fill: _warp(x, fill, shift=(0.0, _SHIFT * s)),
    "rotate": lambda x, s, fill: _warp(x, fill, angle=_ROTATION * s),
    "brightness": lambda x, s, fill: functional.adjust_brightness(x, 1.0 + _COLOUR * s),
    "saturation": lambda x, s, fill: functional.adjust_saturation(x, 1.0 + _COLOUR * s),
    "contrast": lambda x, s, fill: functional.adjust_contrast(x, 1.0 + _COLOUR * s),
    "sharpness": lambda x, s, fill: functional.adjust_sharpness(x, 1.0 + _COLOUR * s),
    "posterize": lambda x, s, fill: functional.posterize(x, 8 - round(4 * abs(s))),
    "solarize": lambda x, s, fill: functional.solarize(x, 255.0 * (1.0 - abs(s))),
    "autocontrast": lambda x, s, fill: functional.autocontrast(x),
    "equalize": lambda x, s, fill: functional.equalize(x),
}


def randaugment(
    image: np.ndarray,
    spec: PreprocessSpec,
    rng: np.random.Generator,
    *,
    operations: int,
    magnitude: float,
) -> np.ndarray:
    """``operations`` of :data:`OPERATIONS` one after another, each of ``magnitude`` up or down.

    image: (H, W, C) uint8, channels in the spec's order; returned so.
    """
    red_first = spec.channel_order != "bgr"
    ordered = image if red_first else image[:, :, ::-1]
    x = torch.from_numpy(np.ascontiguousarray(ordered.transpose(2, 0, 1)))
    names = list(OPERATIONS)
    for _ in range(operations):
        strength = magnitude * (1.0 if rng.random() < 0.5 else -1.0)
        x = OPERATIONS[names[int(rng.integers(len(names)))]](x, strength, float(spec.pad_value))
    out: np.ndarray = x.numpy().transpose(1, 2, 0)
    return out if red_first else out[:, :, ::-1]
