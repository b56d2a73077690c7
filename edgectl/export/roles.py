"""What the quantizer needs to know of a network's heads, from what their kinds say."""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.quant.head_distance import HeadRole
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind


def roles_of(specs: Sequence[OutputSpec]) -> list[HeadRole]:
    """One a head, in order. Raises UnknownNameError for a kind nobody offers."""
    kinds = [head_kind(s.kind) for s in specs]
    return [
        HeadRole(kind.part == "scores", spec.stride, spec.activation, kind.background)
        for spec, kind in zip(specs, kinds, strict=True)
    ]
