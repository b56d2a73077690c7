"""Head tensors to boxes: decode, score threshold, best of each level, class-wise suppression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.labels import Detections
from edgectl.nn.boxes import suppress
from edgectl.spec import OutputSpec
from edgectl.tasks.decode_rule import head_rule
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.decode import Predictions, flatten
from edgectl_fcos.head import STRIDES


class FcosPostprocess:
    """A prior may report several classes; the score of each is sqrt(class * center-ness)."""

    def __init__(self, config: FcosConfig) -> None:
        self.threshold = config.score_threshold
        self.overlap = config.nms_threshold
        self._config = config

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """Fifteen tensors; logits or (``applied``) scores where the spec has an activation."""
        ready = [
            t.sigmoid() if s.activation == "sigmoid" and not s.applied else t
            for t, s in zip(outputs, specs, strict=True)
        ]
        sides = head_rule(specs[len(STRIDES)])
        found = flatten(ready, offset=sides.offset, logarithms=sides.transform == "exp")
        scores = (found.classes * found.centerness[..., None]).sqrt()
        rows, columns = (n * STRIDES[0] for n in outputs[0].shape[2:])
        edge = torch.tensor([columns, rows, columns, rows], device=scores.device)
        boxes = torch.minimum(found.boxes.clamp_min(0), edge)
        return [self._image(s, b, found) for s, b in zip(scores, boxes, strict=True)]

    def _image(self, scores: Tensor, boxes: Tensor, found: Predictions) -> Detections:
        """scores: (P, classes); boxes: (P, 4)."""
        candidates = []
        first = 0
        for size in found.sizes:
            level = scores[first : first + size]
            prior, label = (level > self.threshold).nonzero(as_tuple=True)
            confidence, best = level[prior, label].topk(min(len(prior), self._config.pre_nms))
            candidates.append((prior[best] + first, label[best], confidence))
            first += size
        prior, label, confidence = (torch.cat(c) for c in zip(*candidates, strict=True))
        return suppress(
            boxes[prior],
            confidence,
            label,
            threshold=self.overlap,
            limit=self._config.max_detections,
        )
