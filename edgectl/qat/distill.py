"""How far a network's heads are from its teacher's, counted where it matters to what is found.

A detector's heads are mostly background: a squared error over all of them is spent on boxes nobody
reads and on logits far from any threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind

_KNEE = 0.1
"""Errors of distances beyond it, in units of the head, count linearly."""


def head_distance(
    heads: Sequence[Tensor], wanted: Sequence[Tensor], specs: Sequence[OutputSpec]
) -> Tensor:
    """Divergence of class scores, plus errors of all else weighted by the teacher's score there; a sum
    over cells, divided by the teacher's total score (Hinton et al., 2015, arXiv:1503.02531, with the
    weighting of Li et al., 2020, arXiv:2006.04388). Where no head has scores all places weigh alike, and
    the sum is divided by their number.

    Args:
        heads, wanted: raw (N, C, H, W) or (N, C) of student and teacher.
        specs: what they are.
    """
    found = {
        spec.stride: _score(logits, spec)
        for logits, spec in zip(wanted, specs, strict=True)
        if head_kind(spec.kind).part == "scores"
    }
    terms = []
    for student, teacher, spec in zip(heads, wanted, specs, strict=True):
        if head_kind(spec.kind).part == "scores":
            terms.append(_divergence(student, teacher, spec).sum())
        else:
            error = (
                _divergence(student, teacher, spec)
                if spec.activation == "sigmoid"
                else F.smooth_l1_loss(student, teacher, reduction="none", beta=_KNEE)
            )
            weight = found.get(spec.stride, torch.ones_like(error[:, :1]))
            terms.append((weight * error).sum() / error.shape[1])
    if not found:
        return torch.stack(terms).sum() / sum(h[:, :1].numel() for h in heads)
    seen = [score.sum() for score in found.values()]
    # a batch of empty images must not divide by next to nothing
    return torch.stack(terms).sum() / torch.stack(seen).sum().clamp_min(1.0)


def _score(logits: Tensor, spec: OutputSpec) -> Tensor:
    """(N, 1, ...): how much of an object the teacher sees, whatever its class."""
    p = logits.softmax(dim=1) if spec.activation == "softmax" else logits.sigmoid()
    if head_kind(spec.kind).background:
        p = p[:, 1:]
    return p.amax(dim=1, keepdim=True)


def _divergence(student: Tensor, teacher: Tensor, spec: OutputSpec) -> Tensor:
    """Kullback-Leibler, of every score by itself or of the classes together."""
    if spec.activation == "softmax":
        log_p, log_q = teacher.log_softmax(dim=1), student.log_softmax(dim=1)
        return F.kl_div(log_q, log_p, reduction="none", log_target=True)
    p = teacher.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(teacher, p, reduction="none")
    return F.binary_cross_entropy_with_logits(student, p, reduction="none") - entropy
