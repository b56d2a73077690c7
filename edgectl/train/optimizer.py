"""The optimizer of a configuration: weight decay on weights alone, not on norms and biases."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from edgectl.config.schema import OptimizerConfig

# Shared by every batch norm: https://pytorch.org/docs/stable/nn.html#normalization-layers
_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups, decayed and not; every trainable parameter is in exactly one of them.

    Parameters of norms and vectors (biases, scales) are not decayed: pulling them towards zero
    shrinks activations without regularising anything (He et al., 2018, https://arxiv.org/abs/1812.01187).
    """
    decayed: list[nn.Parameter] = []
    exempt: list[nn.Parameter] = []
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                vector = isinstance(module, _NORMS) or parameter.ndim <= 1
                (exempt if vector else decayed).append(parameter)
    # A parameter shared by two modules appears once; dict keys keep the order.
    return [
        {"params": list(dict.fromkeys(decayed)), "weight_decay": weight_decay},
        {"params": list(dict.fromkeys(exempt)), "weight_decay": 0.0},
    ]


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """SGD (Nesterov momentum) or AdamW, with the fused kernels where the device has them."""
    groups = parameter_groups(model, config.weight_decay)
    device = next(model.parameters()).device.type
    fused = device in ("cpu", "cuda")
    if config.name == "sgd":
        return torch.optim.SGD(
            groups,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
            fused=fused,
        )
    return torch.optim.AdamW(groups, lr=config.lr, fused=fused)
