"""Calibration images divided: some to choose by, others to judge what was chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from edgectl.errors import DataError
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.head_distance import HeadMeasure, HeadRole
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import Simulator

Images = Callable[[], Iterable[Tensor]]
"""Each call starts over and yields the same batches (B, C, H, W), float32 in the lowered domain."""

SIDE = 16
"""Images to choose by, and images to judge by. Of fewer than twice as many each side gets half."""

_LARGEST_CHUNK = 8
_CHUNK_BYTES = 160 * 2**20
"""Of all tensors of one chunk: a backward pass holds them together."""


class Evidence:
    """The images of one calibration, and the float network's heads for those that decide.

    Args:
        graph: the float network.
        roles: what its outputs are; None where that is not known.

    Attributes:
        total: images there are.
        choosing, judging: chunks of (N, C, H, W).
        chosen_by, judged_by: the error at the heads for either.

    Raises:
        DataError: there are no images.
    """

    def __init__(
        self, graph: QuantGraph, images: Images, roles: Sequence[HeadRole] | None = None
    ) -> None:
        self._images = images
        self._roles = roles
        self.total = sum(len(batch) for batch in images())
        if not self.total:
            raise DataError(
                "no calibration images", fix="give --calib a directory with images of your scene"
            )
        floats = sum(math.prod(n.shape) for n in graph)
        self.chunk = max(1, min(_LARGEST_CHUNK, _CHUNK_BYTES // (4 * floats)))
        self._judges = spread(range(self.total), min(SIDE, self.total // 2))
        rest = [i for i in range(self.total) if i not in self._judges]
        self.choosing = self._gather(spread(rest, SIDE), self.chunk)
        self.judging = self._gather(self._judges or rest, _LARGEST_CHUNK // 2)
        self.chosen_by = HeadMeasure(run_float(graph, self.choosing), roles)
        self.judged_by = HeadMeasure(run_float(graph, self.judging), roles)

    @property
    def observed(self) -> int:
        """Images nothing is judged by: those statistics may be taken from."""
        return self.total - len(self._judges)

    def statistics_images(self) -> Iterator[Tensor]:
        """Chunks of all images that do not judge. Tensors are let go of once they are counted."""
        waiting: list[Tensor] = []
        index = 0
        for batch in self._images():
            for image in batch:
                if index not in self._judges:
                    waiting.append(image)
                index += 1
                if len(waiting) == _LARGEST_CHUNK:
                    yield torch.stack(waiting)
                    waiting = []
        if waiting:
            yield torch.stack(waiting)

    def _gather(self, wanted: Sequence[int], size: int) -> list[Tensor]:
        chosen: list[Tensor] = []
        index = 0
        for batch in self._images():
            chosen += [batch[i] for i in range(len(batch)) if index + i in wanted]
            index += len(batch)
        return [torch.stack(chosen[i : i + size]) for i in range(0, len(chosen), size)]

    def judge(self, quantized: QuantizedGraph, limit: float = math.inf) -> float:
        """Error at the heads on the judging images; infinite as soon as it is over ``limit``."""
        return error_at_heads(quantized, self.judging, self.judged_by, limit)


def error_at_heads(
    quantized: QuantizedGraph, chunks: Sequence[Tensor], measure: HeadMeasure, limit: float
) -> float:
    """Error of the simulated graph; infinite as soon as it is over ``limit``, for what is worse already
    need not be run to the end."""
    simulator = Simulator(quantized)
    error = 0.0
    for number, x in enumerate(chunks):
        error += measure.error_of(number, simulator.run(x))
        if not error <= limit:
            return math.inf
    return error


def run_float(graph: QuantGraph, chunks: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Heads of every chunk."""
    with torch.no_grad():
        for x in chunks:
            yield graph.run(x)


def spread(items: Sequence[int], count: int) -> list[int]:
    """``count`` of them, evenly spaced; all where there are no more."""
    count = min(count, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]
