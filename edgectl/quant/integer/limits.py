"""Scales the kernels do not survive, as data: a runner and the writer refuse them by name.

A tensor that is (almost) always zero gets an (almost) infinitely fine scale. On some ops the
interpreters then end the whole process, on a device too, instead of returning an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgectl.errors import ArtifactError
from edgectl.quant.integer.program import Operation, Program

_ADD_SHIFT = 20
_SOFTMAX_FRACTION_BITS = 26


@dataclass(frozen=True)
class Limit:
    """``broken(model, op)`` is true where the kernel does ``consequence``."""

    broken: Callable[[Program, Operation], bool]
    consequence: str


def _scale(model: Program, tensor: int) -> float:
    scales = model.tensors[tensor].scales
    return scales[0] if scales else 1.0


def _sum_too_fine(model: Program, op: Operation) -> bool:
    largest = max(_scale(model, i) for i in op.inputs)
    return 2.0 * largest >= (1 << _ADD_SHIFT) * _scale(model, op.outputs[0])


def _logits_too_fine(model: Program, op: Operation) -> bool:
    factor = float(op.options["beta"]) * _scale(model, op.inputs[0])
    return factor * (1 << _SOFTMAX_FRACTION_BITS) <= 1.0


def _products_too_coarse(model: Program, op: Operation) -> bool:
    weight = max(model.tensors[op.inputs[1]].scales, default=0.0)
    return _scale(model, op.inputs[0]) * weight >= 256.0 * _scale(model, op.outputs[0])


ABORTS: Mapping[str, Limit] = {
    "ADD": Limit(_sum_too_fine, "aborts the process: its output scale is too fine"),
    "SOFTMAX": Limit(_logits_too_fine, "aborts the process: its input scale is too fine"),
}
"""By op, where the reference kernels fail a check that cannot be caught (``TFLITE_CHECK``)."""

_WEIGHTED = Limit(_products_too_coarse, "is refused by LiteRT: its output scale is too fine")
UNLOADABLE: Mapping[str, Limit] = {
    "CONV_2D": _WEIGHTED,
    "DEPTHWISE_CONV_2D": _WEIGHTED,
    "FULLY_CONNECTED": _WEIGHTED,
}
"""By op, where XNNPACK does not load the file. Runs elsewhere, but the sums may overflow."""


def require_survivable(model: Program) -> None:
    """Raises ArtifactError where running an int8 file would end the process."""
    _require(model, ABORTS, fix="quantize the network again, with images that reach this op")


def require_portable(model: Program) -> None:
    """Raises ArtifactError unless every runtime can run an int8 file."""
    _require(
        model,
        {**ABORTS, **UNLOADABLE},
        fix="the op's output is zero on every calibration image: give images of your scene "
        "with --calib, or train longer, a dead layer does not recover by quantization",
    )


def _require(model: Program, limits: Mapping[str, Limit], *, fix: str) -> None:
    for op in model.operations:
        limit = limits.get(op.name)
        if limit is None or model.tensors[op.outputs[0]].dtype != "int8":
            continue
        if limit.broken(model, op):
            raise ArtifactError(
                f"{op.name} '{model.label(op.outputs[0])}' {limit.consequence}",
                where=model.where,
                fix=fix,
            )
