"""The decode rules edgectl has itself: classifiers, and the heads of YOLOX and of YOLOv8 and its heirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from edgectl.errors import UsageError
from edgectl.plugins.family import Postprocess
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.decoders import HeadTensor, explain_heads
from edgectl.tasks.rule_postprocess import BoxPostprocess, ClassPostprocess

_BINS = 16
"""Of a distribution over a side's length (YOLOv8's ``reg_max``)."""


class ClassifyRule:
    """One output, a number a class."""

    def count_classes(self, heads: Sequence[HeadTensor], input_size: Size) -> int:
        """Its channels."""
        if len(heads) != 1 or heads[0].stride(input_size) or heads[0].channels < 2:
            raise explain_heads("classify", heads, "one output with a number a class")
        return heads[0].channels

    def specify(
        self, heads: Sequence[HeadTensor], num_classes: int, input_size: Size
    ) -> tuple[OutputSpec, ...]:
        """Logits: a softmax in the file is cut off."""
        self.count_classes(heads, input_size)
        return (OutputSpec("logits", "class_logits", 0, heads[0].channels, "softmax"),)

    def postprocess(self, outputs: Sequence[OutputSpec]) -> Postprocess:
        """A ranking."""
        return ClassPostprocess()


class GridRule:
    """At every stride one head of each part. Parts are told apart by their channels, and where two have the
    same by the order in which the network computes them.

    Attributes:
        name: of the rule, for messages.
        parts: kind of head -> its channels, 0 for the classes; in the order networks compute them.
        offset: of the sides.
    """

    name = ""
    parts: Mapping[str, int] = {}
    offset = 0.0

    def count_classes(self, heads: Sequence[HeadTensor], input_size: Size) -> int:
        """The channels that no other part has."""
        counts = {
            sum(h.channels for h in level) - sum(self.parts.values())
            for level in self._levels(heads, input_size).values()
        }
        if len(counts) != 1 or min(counts) < 1:
            raise explain_heads(self.name, heads, self._wanted())
        return counts.pop()

    def specify(
        self, heads: Sequence[HeadTensor], num_classes: int, input_size: Size
    ) -> tuple[OutputSpec, ...]:
        """Sides, scores and quality of every level."""
        if self.count_classes(heads, input_size) != num_classes:
            raise UsageError(
                f"the heads are of {self.count_classes(heads, input_size)} classes, not {num_classes}",
                where="--classes",
            )
        found: dict[str, OutputSpec] = {}
        for stride, level in self._levels(heads, input_size).items():
            left = list(level)
            for kind, channels in self.parts.items():
                wanted = channels or num_classes
                match = next((h for h in left if h.channels == wanted), None)
                if match is None:
                    raise explain_heads(self.name, heads, self._wanted())
                left.remove(match)
                found[match.name] = self._spec(kind, stride, wanted)
        return tuple(found[h.name] for h in heads)

    def postprocess(self, outputs: Sequence[OutputSpec]) -> Postprocess:
        """Decoding and suppression by the heads' kinds."""
        return BoxPostprocess()

    def _levels(self, heads: Sequence[HeadTensor], input_size: Size) -> dict[int, list[HeadTensor]]:
        levels: dict[int, list[HeadTensor]] = {}
        for head in heads:
            levels.setdefault(head.stride(input_size), []).append(head)
        sizes = Counter(len(level) for level in levels.values())
        if 0 in levels or not levels or set(sizes) != {len(self.parts)}:
            raise explain_heads(self.name, heads, self._wanted())
        return levels

    def _spec(self, kind: str, stride: int, channels: int) -> OutputSpec:
        name = {"class_logits": "cls", "objectness_logits": "obj", "centerness_logits": "ctr"}
        scored = kind in name
        return OutputSpec(
            f"{name.get(kind, 'box')}_{stride}",
            kind,
            stride,
            channels,
            "sigmoid" if scored else "none",
            offset=0.0 if scored else self.offset,
        )

    def _wanted(self) -> str:
        parts = ", ".join(
            f"{kind} ({channels or 'a channel a class'})" for kind, channels in self.parts.items()
        )
        return f"at every stride {parts}"


class YoloxRule(GridRule):
    """Ge et al., 2021, arXiv:2107.08430: the class branch is computed first, then box and objectness."""

    name = "yolox"
    parts: Mapping[str, int] = {"class_logits": 0, "box_centers": 4, "objectness_logits": 1}


class Yolov8Rule(GridRule):
    """YOLOv8, 9, 11 and 12 of Ultralytics, before their decoding: the box branch is computed first."""

    name = "yolov8"
    parts: Mapping[str, int] = {"box_distributions": 4 * _BINS, "class_logits": 0}
    offset = 0.5
