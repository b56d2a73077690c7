"""The order of convolution weights in memory: groups of 8 outputs, in them groups of 32 inputs.

Inside a pair of groups: row, column, output, input. Last groups are short; nothing is padded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_OUT, _IN = 8, 32


def _groups(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for o in range(0, shape[0], _OUT):
        for i in range(0, shape[1], _IN):
            yield slice(o, min(o + _OUT, shape[0])), slice(i, min(i + _IN, shape[1]))


def to_npu(weight: np.ndarray) -> np.ndarray:
    """(out, in, kh, kw) to flat."""
    parts = [weight[o, i].transpose(2, 3, 0, 1).ravel() for o, i in _groups(weight.shape)]
    return np.concatenate(parts)


def from_npu(flat: np.ndarray, shape: tuple[int, int, int, int]) -> np.ndarray:
    """Inverse of :func:`to_npu`. Raises ValueError unless the sizes agree."""
    if flat.size != int(np.prod(shape)):
        raise ValueError(f"{flat.size} weights for the shape {shape}")
    weight = np.empty(shape, flat.dtype)
    at = 0
    for o, i in _groups(shape):
        block = weight[o, i].transpose(2, 3, 0, 1)
        weight[o, i] = flat[at : at + block.size].reshape(block.shape).transpose(2, 3, 0, 1)
        at += block.size
    return weight
