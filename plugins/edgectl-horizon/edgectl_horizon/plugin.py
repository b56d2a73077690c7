"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, ToolInfo

HB_MAPPER = ToolInfo(
    name="hb_mapper",
    command="hb_mapper",
    fix="run build.sh in Horizon's OpenExplorer container, or name its command: "
    "[tools.hb_mapper] container = [...]",
)


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """The compiler's own emulator of the BPU is not driven from here: what it makes is not scored."""
    return [
        BackendInfo(
            name="horizon",
            summary="BIN files for Horizon BPUs (Sunrise X3, Journey 5), through hb_mapper",
            entry="edgectl_horizon.backend:HorizonBackend",
            precisions=("int8",),
            runtimes=("onnxruntime",),
            input="normalized",
            takes="network",
            tool=HB_MAPPER,
        )
    ]
