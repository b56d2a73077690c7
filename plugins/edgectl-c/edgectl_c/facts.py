"""What a library takes of a device, for manifests and gates."""

from __future__ import annotations

from typing import Any

from edgectl.quant.integer.program import Program
from edgectl_c.code.model import Source
from edgectl_c.modelfile import CODE, DATA, HEADER
from edgectl_c.plan.plan import Plan

_KERNELS = 8192
"""Bytes of machine code, at most, of all kernels on a Cortex-M at -O2; a test compiles them."""
_OP, _TENSOR = 88, 24
"""Bytes of the structs with 32-bit pointers."""
_COUNTER = 2


def facts(plan: Plan, source: Source) -> dict[str, Any]:
    """``arena_bytes``; ``arena``: its parts; ``ram_bytes``: with the step counters; ``flash_bytes``: tables,
    structs and an upper bound of the code; ``segments``: where the network is cut."""
    program, network = plan.network.program, plan.network
    source_bytes = network.buffers[network.input].nbytes
    steps = len(network.steps)
    structs = steps * _OP + source.tensors * _TENSOR
    return {
        "files": [CODE, HEADER, DATA],
        "inputs": [_tensor(program, i) for i in program.inputs],
        "outputs": [_tensor(program, i) for i in program.outputs],
        "arena_bytes": plan.arena_bytes,
        "arena": {"total": plan.arena_bytes, "input": 0 if plan.camera_rows else source_bytes},
        "ram_bytes": plan.arena_bytes + _COUNTER * steps,
        "flash_bytes": source.table_bytes + structs + _KERNELS,
        "table_bytes": source.table_bytes,
        "segments": [
            {"first": network.steps[s.first].name, "steps": s.last - s.first, "live_bytes": s.peak}
            for s in plan.segments
        ],
    }


def _tensor(program: Program, index: int) -> dict[str, Any]:
    tensor = program.tensors[index]
    return {
        "name": program.label(index),
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0],
        "zero_point": tensor.zero_points[0],
    }
