"""Head tensors to boxes: decode, score threshold, class-wise non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from edgectl.labels import Detections
from edgectl.nn.boxes import suppress
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind
from edgectl_rtmdet.config import RtmdetConfig
from edgectl_rtmdet.decode import flatten


class RtmdetPostprocess:
    """A prior may report several classes; each is judged on its own."""

    def __init__(self, config: RtmdetConfig) -> None:
        self.threshold = config.score_threshold
        self.overlap = config.nms_threshold
        self._config = config

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """Six tensors, logits or (``applied``) scores in the first three."""
        ready = [t if s.applied else t.sigmoid() for t, s in zip(outputs[:3], specs, strict=False)]
        logarithms = head_kind(specs[3].kind).transform == "exp"
        found = flatten([*ready, *outputs[3:]], exp_on_reg=logarithms, offset=specs[3].offset)
        return [self._image(s, b) for s, b in zip(found.classes, found.boxes, strict=True)]

    def _image(self, scores: Tensor, boxes: Tensor) -> Detections:
        """scores: (P, classes); boxes: (P, 4)."""
        prior, label = (scores > self.threshold).nonzero(as_tuple=True)
        confidence = scores[prior, label]
        if len(confidence) > self._config.pre_nms:
            confidence, best = confidence.topk(self._config.pre_nms)
            prior, label = prior[best], label[best]
        return suppress(
            boxes[prior],
            confidence,
            label,
            threshold=self.overlap,
            limit=self._config.max_detections,
        )
