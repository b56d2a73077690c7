"""First convolutions of networks that see one channel, and weights of color networks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from edgectl.nn.state import Normalization
from edgectl.spec import luma

_COLOR = 3


def sum_channels(conv: nn.Conv2d) -> None:
    """Makes a convolution of color one of gray, in place: its weights are summed over the input channels.

    It then computes of a gray image what it did of that image in all channels.
    """
    _exchange(conv, conv.weight.detach().sum(1, keepdim=True))


@contextmanager
def color_stem(conv: nn.Conv2d, seen: Normalization) -> Iterator[Normalization]:
    """Lets weights of a color network be read into a network of gray: :func:`sum_channels` at the end.

    A convolution that sees color is left as it is, and so is one into which nothing was read.

    Args:
        conv: the network's first.
        seen: what the family's color networks see.

    Yields:
        The normalization to rewrite the weights for: ``seen``, or its luma in all channels.
    """
    if conv.in_channels == _COLOR:
        yield seen
        return
    own = conv.weight.detach()
    spread = own.repeat(1, _COLOR, 1, 1) / _COLOR
    _exchange(conv, spread.clone())
    try:
        yield Normalization((luma(seen.mean),) * _COLOR, (luma(seen.std),) * _COLOR)
    finally:
        if torch.equal(conv.weight.detach(), spread):
            _exchange(conv, own)
        else:
            sum_channels(conv)


def _exchange(conv: nn.Conv2d, weight: Tensor) -> None:
    conv.in_channels = weight.shape[1]
    conv.weight = nn.Parameter(weight)
