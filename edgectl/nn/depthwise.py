"""Depthwise convolutions in float32 where the rest of a network trains in bfloat16, on processors.

oneDNN has no fast backward pass of a bfloat16 depthwise convolution: with stride 2 it takes 10 to 25
times as long as in float32 (64 channels, 24 x 24, 3 x 3, batch 8, one thread: 3.4 ms against .17 ms).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def widen_depthwise(model: nn.Module) -> nn.Module:
    """Replaces the depthwise convolutions of ``model`` that gain by it, in place as far as it can be;
    parameters and their names stay. Returns the model."""
    if type(model) is nn.Conv2d and 1 < model.groups == model.in_channels and not _fast(model):
        return WideDepthwise.of(model)
    for name, child in model.named_children():
        setattr(model, name, widen_depthwise(child))
    return model


def _fast(conv: nn.Conv2d) -> bool:
    """The one shape whose bfloat16 kernel is worth having."""
    return conv.stride == (1, 1) and conv.kernel_size == (3, 3)


class WideDepthwise(nn.Conv2d):
    """A convolution that autocast leaves in float32."""

    @classmethod
    def of(cls, conv: nn.Conv2d) -> WideDepthwise:
        """With the parameters of ``conv``, not copies of them."""
        made = cls.__new__(cls)
        made.__dict__ = conv.__dict__
        return made

    def forward(self, x: Tensor) -> Tensor:
        """In the number format of ``x``, computed in that of the weights."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype)).to(x.dtype)
