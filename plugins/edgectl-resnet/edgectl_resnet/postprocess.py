"""Logits to a ranking of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.labels import Detections
from edgectl.spec import OutputSpec


class ClassificationPostprocess:
    """Every class of every image, best first; equal scores keep class order, as argmax does on
    the device. ``threshold`` is not applied: the best class wins."""

    threshold = 0.0

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """One (N, C) tensor, logits or (``applied``) probabilities."""
        (raw,), (spec,) = outputs, specs
        scores = raw.flatten(1)
        if not spec.applied:
            scores = torch.softmax(scores, dim=1)
        ranked, labels = torch.sort(scores, dim=1, descending=True, stable=True)
        nowhere = torch.zeros(0, 4)
        return [Detections(nowhere, s, k) for s, k in zip(ranked, labels, strict=True)]
