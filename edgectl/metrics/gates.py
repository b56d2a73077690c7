"""Gates: ``f1>=0.7``, ``AP_drop<=0.01``, ``arena_bytes<=262144``. A failed gate is exit code 4.

``NAME_drop`` is the reference's value minus the value measured, so it needs a reference
(``--against``, or the checkpoint an artifact was exported from).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgectl.errors import UsageError

_EXPRESSION = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*(<=|>=|<|>)\s*([-+0-9.eE]+)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
# A drop of exactly the limit must pass although 0.70 - 0.69 is 0.010000000000000009.
_SLACK = 1e-9


@dataclass(frozen=True)
class Gate:
    """One parsed expression."""

    expr: str
    name: str
    drop: bool
    op: str
    limit: float

    @classmethod
    def parse(cls, expr: str) -> Gate:
        """Raises UsageError when the expression is not NAME OP NUMBER."""
        match = _EXPRESSION.fullmatch(expr)
        try:
            if match is None:
                raise ValueError(expr)
            limit = float(match[3])
        except ValueError as e:
            raise UsageError(
                f"not a gate: '{expr}'",
                where="--gate",
                fix="write for example 'f1>=0.7' or 'f1_drop<=0.01'",
            ) from e
        name = match[1]
        drop = name.endswith("_drop")
        return cls(expr.strip(), name.removesuffix("_drop"), drop, match[2], limit)

    def check(self, values: Mapping[str, Any], reference: Mapping[str, Any] | None) -> GateResult:
        """Raises UsageError when the metric, or the reference a drop needs, is not there."""
        value = _number(values, self.name, self.expr)
        if self.drop:
            if reference is None:
                raise UsageError(
                    f"'{self.expr}' needs something to compare with",
                    where="--gate",
                    fix="add --against MODEL",
                )
            value = _number(reference, self.name, self.expr) - value
        slack = _SLACK if self.op.startswith("<") else -_SLACK
        limit = self.limit + (slack if self.op.endswith("=") else 0.0)
        return GateResult(self.expr, value, _COMPARE[self.op](value, limit))


@dataclass(frozen=True)
class GateResult:
    """``value`` is what was compared: the metric, or its drop."""

    expr: str
    value: float
    passed: bool


def check_gates(
    expressions: Sequence[str], values: Mapping[str, Any], reference: Mapping[str, Any] | None
) -> list[GateResult]:
    """All gates, in order; parses every expression before checking the first."""
    return [g.check(values, reference) for g in [Gate.parse(e) for e in expressions]]


def _number(values: Mapping[str, Any], name: str, expr: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        known = sorted(k for k, v in values.items() if isinstance(v, int | float))
        raise UsageError(
            f"'{expr}': no figure named '{name}' here",
            where="--gate",
            fix="known: " + ", ".join(known),
        )
    return float(value)
