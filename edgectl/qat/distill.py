"""How far a network's heads are from its teacher's: the quantizer's measure, as a loss."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from edgectl.export.roles import roles_of
from edgectl.quant import head_distance as measure
from edgectl.spec import OutputSpec


def head_distance(
    heads: Sequence[Tensor], wanted: Sequence[Tensor], specs: Sequence[OutputSpec]
) -> Tensor:
    """:func:`edgectl.quant.head_distance.head_distance` of heads as their specs describe them."""
    return measure.head_distance(heads, wanted, roles_of(specs))
