"""Objects and priors of a batch: objects padded to one tensor, and the dynamic choice of priors.

The number of priors an object gets is not fixed: as many as the overlaps of the best ones add up to
(Ge et al., 2021, arXiv:2107.08430, section "SimOTA").
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.labels import Targets

_NEVER = 1e8


def pad_targets(targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """(N, M, 4) boxes, (N, M) labels, (N, M) bool which are real; M of the fullest image, >= 1."""
    counts = torch.tensor([len(b) for b in targets.boxes_xyxy])
    most = max(1, int(counts.max()))
    boxes = torch.stack([F.pad(b.float(), (0, 0, 0, most - len(b))) for b in targets.boxes_xyxy])
    labels = torch.stack([F.pad(v, (0, most - len(v))) for v in targets.labels])
    real = torch.arange(most)[None] < counts[:, None]
    return boxes, labels, real.to(boxes.device)


def match_dynamically(
    cost: Tensor, overlap: Tensor, usable: Tensor, *, top: int
) -> tuple[Tensor, Tensor]:
    """Priors of P that objects of M take, cheapest first.

    Args:
        cost, overlap: (N, P, M) of each pair; the overlap is of prediction and object, 0..1.
        usable: (N, P, M) bool, pairs that may be made at all.
        top: an object takes as many priors as its ``top`` best overlaps add up to, at least one.

    Returns:
        ((N, P) bool which priors are taken, (N, P) index of the object that takes each, meaningful
        where taken). A prior that several objects claim serves the one it costs least.
    """
    cost = cost.masked_fill(~usable, _NEVER)
    top = min(top, overlap.shape[1])
    wanted = (overlap * usable).topk(top, dim=1).values.sum(dim=1).int().clamp_min(1)  # (N, M)
    cheapest = cost.topk(top, dim=1, largest=False)
    ranks = torch.arange(top, device=cost.device)[None, :, None]
    chosen = (ranks < wanted[:, None]) & (cheapest.values < _NEVER)
    claimed = torch.zeros_like(usable).scatter_(1, cheapest.indices, chosen)
    return claimed.any(dim=2), cost.masked_fill(~claimed, _NEVER).argmin(dim=2)
