"""Functions of one element, by name: any of them is a table of 256 bytes on a device.

A node's ``slope`` belongs to leaky ReLU and ELU; the others leave it at zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

FUNCTIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "tanh": lambda x, _: torch.tanh(x),
    "gelu": lambda x, _: F.gelu(x),
    "gelu_tanh": lambda x, _: F.gelu(x, approximate="tanh"),
    "exp": lambda x, _: torch.exp(x),
    "elu": lambda x, _: F.elu(x),
    "leaky_relu": F.leaky_relu,
    # zero only where rounding took it there
    "rsqrt": lambda x, _: torch.rsqrt(x.clamp_min(1e-12)),
}
"""What a ``lookup`` node may compute, and how in float."""
