"""What the numbers of a raw head tensor mean: one declarative rule that every decoder follows.

A family's torch postprocess, the NumPy program of a board, the README of an artifact and a decoder in C take
the same facts from here: :func:`edgectl.tasks.decode_rule.decode_rule` resolves them for a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["scores", "quality", "sides", "values"]


@dataclass(frozen=True)
class HeadKind:
    """One kind of raw head (``edgectl_register_heads``); ``OutputSpec.kind`` names it.

    Attributes:
        name: for example ``box_distances``.
        summary: what a channel holds, for READMEs: a phrase without a full stop.
        part: what the head contributes to a result. ``scores``: a number a class; ``quality``: one number
            that the scores of its cell are combined with; ``sides``: left, top, right, bottom of a box,
            measured from the cell's point; ``values``: anything else, which the task's own code reads.
        per_class, fixed: the tensor has ``per_class * classes + fixed`` channels.
        activations: those an OutputSpec of this kind may name.
        background: channel 0 is the background, and class k is channel k + 1.
        transform: applied to each raw number before it is a length. ``expectation``: a side is a softmax
            over as many numbers as there are lengths 0, 1, 2 ..., and its length their mean; ``center``: the
            numbers are not sides but the box's middle, seen from the cell's point, and the logarithms of its
            width and height.
        unit: what such a number is multiplied by to be input pixels: 1, the head's stride, or the side of
            the input it lies along (its width for x, its height for y).
        combine: of ``quality``: how it changes the scores of its cell.
        suppression: what keeps one object from being reported twice. ``neighbors``: of cells that share an
            edge the strongest reports, the first in reading order where they are equal; ``overlap``: a box
            is dropped where a better one of its class overlaps it by more than a limit.
        note: a sentence for whoever writes a decoder; empty where nothing is easily mistaken.
        api: plugin API range this plugin was written for, inclusive.

    The point of a cell (row r, column c) is ``((c + offset) * stride, (r + offset) * stride)``;
    ``OutputSpec.offset`` has the offset, because one kind serves families of either convention.
    """

    name: str
    summary: str
    part: Part
    per_class: int = 0
    fixed: int = 0
    activations: tuple[str, ...] = ("none",)
    background: bool = False
    transform: Literal["none", "exp", "expectation", "center"] = "none"
    unit: Literal["none", "stride", "input"] = "none"
    combine: Literal["none", "product", "geometric_mean"] = "none"
    suppression: Literal["none", "neighbors", "overlap"] = "none"
    note: str = ""
    api: tuple[int, int] = (1, 1)

    def channels(self, num_classes: int) -> int:
        """Size of dimension 1 of such a tensor."""
        return self.per_class * num_classes + self.fixed
