"""What a loss is divided by, where several processes share a batch.

Several processes average their gradients. A loss that is a mean over images or cells comes out
right: the parts are of one size. One that is divided by a number found in the batch (positives,
assigned quality, image weights) does not, for the parts hold different numbers: the mean of
``sum_r / total_r`` is not ``sum / total``. Dividing every part by ``total / processes`` mends that.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed


@torch.no_grad()
def joint_total(total: Tensor, *, least: float = 0.0) -> Tensor:
    """``max(total over all processes, least) / processes``, the divisor of a process's loss sum.

    In a single process this is ``total.clamp_min(least)``. To be called by all processes alike, in
    training only.

    Args:
        total: scalar, this process's own.
        least: keeps a batch without objects finite.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return total.clamp_min(least)
    joint = total.detach().clone()
    distributed.all_reduce(joint)
    return joint.clamp_min(least) / distributed.get_world_size()
