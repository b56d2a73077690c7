"""The decode rule ``centroid``: one grid of cells, the background in channel 0."""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.plugins.family import Postprocess
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.decoders import HeadTensor, explain_heads
from edgectl_fomo.postprocess import FomoPostprocess


class CentroidRule:
    """Implements :class:`edgectl.tasks.decoders.Decoder`."""

    def count_classes(self, heads: Sequence[HeadTensor], input_size: Size) -> int:
        """Its channels less the background."""
        if len(heads) != 1 or not heads[0].stride(input_size) or heads[0].channels < 2:
            raise explain_heads(
                "centroid", heads, "one grid with a score a class and the background"
            )
        return heads[0].channels - 1

    def specify(
        self, heads: Sequence[HeadTensor], num_classes: int, input_size: Size
    ) -> tuple[OutputSpec, ...]:
        """One head of cells, whose channels compete."""
        self.count_classes(heads, input_size)
        (head,) = heads
        stride = head.stride(input_size)
        return (OutputSpec("cells", "cell_logits", stride, head.channels, "softmax"),)

    def postprocess(self, outputs: Sequence[OutputSpec]) -> Postprocess:
        """Cells to centers."""
        return FomoPostprocess(outputs[0].stride)
