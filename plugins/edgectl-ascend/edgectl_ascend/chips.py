"""``--soc_version`` of atc, as data: "Ascend" and the Name column of ``npu-smi info`` without spaces."""

from __future__ import annotations

from edgectl.errors import UnknownNameError

CHIPS: dict[str, str] = {
    "Ascend310": "Atlas 200/300 inference modules of the first generation",
    "Ascend310P1": "Atlas inference series",
    "Ascend310P3": "Atlas 300I Pro, 300V Pro",
    "Ascend310B1": "Atlas 200I A2, 20 TOPS",
    "Ascend310B4": "Atlas 200I DK A2, Orange Pi AIpro, 8 TOPS",
    "Ascend910A": "Atlas 800 training servers of the first generation",
    "Ascend910B": "Atlas 800 training servers of the first generation",
    "Ascend910B1": "Atlas 800T A2",
    "Ascend910B2": "Atlas 800T A2",
    "Ascend910B3": "Atlas 800T A2",
    "Ascend910B4": "Atlas 800I A2",
    "Ascend910_93": "Atlas A3",
}


def require_chip(name: str) -> None:
    """Raises UnknownNameError with the nearest names."""
    if name not in CHIPS:
        raise UnknownNameError("chip", name, CHIPS, where="backend.ascend.soc")
