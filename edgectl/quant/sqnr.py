"""Signal to quantization noise, the error measure of searches, reports and gates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def sqnr_db(ref: Tensor | np.ndarray, test: Tensor | np.ndarray) -> float:
    """10 log10(sum ref^2 / sum (ref - test)^2), in decibels; infinite when they are equal,
    minus infinity where ``test`` is not finite."""
    r = torch.as_tensor(ref).detach().double()
    noise = float((r - torch.as_tensor(test).detach().double()).square().sum())
    signal = float(r.square().sum())
    if noise == 0.0:
        return math.inf
    if not math.isfinite(noise):
        return -math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def relative_error(refs: Sequence[Tensor], tests: Sequence[Tensor]) -> float:
    """Noise over signal, summed over tensors: each counts the same whatever its scale."""
    total = 0.0
    for ref, test in zip(refs, tests, strict=True):
        signal = float(ref.double().square().sum())
        total += float((ref - test).double().square().sum()) / max(signal, 1e-30)
    return total
