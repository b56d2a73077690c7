"""Arguments of a call: computed feature maps, or constants."""

from __future__ import annotations

from torch import Tensor

from edgectl.quant.graph.draft import DraftBuilder, Ref, Value


def require_ref(b: DraftBuilder, value: Value | None) -> Ref:
    """The value as a feature map. Raises UnsupportedOpError for a constant."""
    if not isinstance(value, Ref):
        raise b.refuse("a constant takes the place of a feature map", "compute it from the input")
    return value


def require_constant(b: DraftBuilder, value: Value | None, what: str) -> Tensor:
    """The value as a tensor known now. Raises UnsupportedOpError for a computed one."""
    if not isinstance(value, Tensor):
        raise b.refuse(f"computed {what}", "use parameters")
    return value
