"""How far a network's heads are from the float network's, counted where it matters to what is found.

A detector's heads are mostly background: a squared error over all of them is spent on boxes nobody
reads and on logits far from any threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

_KNEE = 0.1
"""Errors of distances beyond it, in units of the head, count linearly."""

_TYPICAL = 0.5
"""A distance's error at which its quadratic stand-in equals it."""


@dataclass(frozen=True)
class HeadRole:
    """What a raw head is to the error measure.

    Attributes:
        scores: class scores; everything else is weighted by those of the same stride.
        stride: input pixels per cell.
        activation: what makes scores of the raw numbers.
        background: channel 0 of the scores is no class.
    """

    scores: bool
    stride: int
    activation: Literal["none", "sigmoid", "softmax"]
    background: bool = False


def head_distance(
    heads: Sequence[Tensor], wanted: Sequence[Tensor], roles: Sequence[HeadRole]
) -> Tensor:
    """Divergence of class scores, plus errors of all else weighted by the teacher's score there; a sum
    over cells, divided by the teacher's total score (Hinton et al., 2015, arXiv:1503.02531, with the
    weighting of Li et al., 2020, arXiv:2006.04388). Where no head has scores all places weigh alike, and
    the sum is divided by their number.

    Args:
        heads, wanted: raw (N, C, H, W) or (N, C) of student and teacher.
        roles: what they are.
    """
    if not any(r.scores for r in roles):
        return _error(heads, wanted, roles) / sum(h[:, :1].numel() for h in heads)
    # a batch of empty images must not divide by next to nothing
    return _error(heads, wanted, roles) / _seen(wanted, roles).clamp_min(1.0)


class HeadMeasure:
    """Error at the heads of a set of images, relative to what the float network sees in all of them.

    Where nothing is known of the heads it is noise over signal, a sum over the heads.

    Args:
        wanted: the float network's heads, a list of tensors a chunk of images.
        roles: what the heads are; None or without class scores: unknown.
    """

    def __init__(
        self, wanted: Iterable[Sequence[Tensor]], roles: Sequence[HeadRole] | None = None
    ) -> None:
        self.wanted = [list(heads) for heads in wanted]
        known = roles is not None and any(r.scores for r in roles)
        self._roles = roles if known else None
        if self._roles is None:
            self._scale = [
                max(sum(float(h.double().square().sum()) for h in tensors), 1e-30)
                for tensors in zip(*self.wanted, strict=True)
            ]
        else:
            seen = sum(float(_seen(h, self._roles)) for h in self.wanted)
            self._scale = [max(seen, 1.0)]

    def error_of(self, chunk: int, heads: Sequence[Tensor]) -> float:
        """Share of one chunk in the error of the set. Not finite where ``heads`` are not."""
        wanted = self.wanted[chunk]
        if self._roles is not None:
            return float(_error(heads, wanted, self._roles)) / self._scale[0]
        return sum(
            float((a - b).double().square().sum()) / scale
            for a, b, scale in zip(heads, wanted, self._scale, strict=True)
        )

    def weights(self, chunk: int) -> list[Tensor]:
        """What a small squared error of each element of each head adds to the error of the set."""
        wanted = self.wanted[chunk]
        if self._roles is None:
            return [torch.full_like(h, 1.0 / s) for h, s in zip(wanted, self._scale, strict=True)]
        found = _found(wanted, self._roles)
        weights = []
        for teacher, role in zip(wanted, self._roles, strict=True):
            if role.scores:
                weight = _curvature(teacher, role)
            else:
                one = torch.ones_like(teacher)
                own = _curvature(teacher, role) if role.activation == "sigmoid" else one / _TYPICAL
                weight = found.get(role.stride, one[:, :1]) * own / teacher.shape[1]
            weights.append(weight / self._scale[0])
        return weights


def _found(wanted: Sequence[Tensor], roles: Sequence[HeadRole]) -> dict[int, Tensor]:
    """Stride -> (N, 1, ...): how much of an object the teacher sees in each cell."""
    return {
        role.stride: _score(logits, role)
        for logits, role in zip(wanted, roles, strict=True)
        if role.scores
    }


def _seen(wanted: Sequence[Tensor], roles: Sequence[HeadRole]) -> Tensor:
    return torch.stack([score.sum() for score in _found(wanted, roles).values()]).sum()


def _error(heads: Sequence[Tensor], wanted: Sequence[Tensor], roles: Sequence[HeadRole]) -> Tensor:
    found = _found(wanted, roles)
    terms = []
    for student, teacher, role in zip(heads, wanted, roles, strict=True):
        if role.scores:
            terms.append(_divergence(student, teacher, role).sum())
        else:
            error = (
                _divergence(student, teacher, role)
                if role.activation == "sigmoid"
                else F.smooth_l1_loss(student, teacher, reduction="none", beta=_KNEE)
            )
            weight = found.get(role.stride, torch.ones_like(error[:, :1]))
            terms.append((weight * error).sum() / error.shape[1])
    return torch.stack(terms).sum()


def _score(logits: Tensor, role: HeadRole) -> Tensor:
    """(N, 1, ...): how much of an object the teacher sees, whatever its class."""
    p = logits.softmax(dim=1) if role.activation == "softmax" else logits.sigmoid()
    if role.background:
        p = p[:, 1:]
    return p.amax(dim=1, keepdim=True)


def _curvature(logits: Tensor, role: HeadRole) -> Tensor:
    """Half the second derivative of :func:`_divergence` at no error; of a softmax, its diagonal."""
    p = logits.softmax(dim=1) if role.activation == "softmax" else logits.sigmoid()
    return 0.5 * p * (1.0 - p)


def _divergence(student: Tensor, teacher: Tensor, role: HeadRole) -> Tensor:
    """Kullback-Leibler, of every score by itself or of the classes together."""
    if role.activation == "softmax":
        log_p, log_q = teacher.log_softmax(dim=1), student.log_softmax(dim=1)
        return F.kl_div(log_q, log_p, reduction="none", log_target=True)
    p = teacher.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(teacher, p, reduction="none")
    return F.binary_cross_entropy_with_logits(student, p, reduction="none") - entropy
