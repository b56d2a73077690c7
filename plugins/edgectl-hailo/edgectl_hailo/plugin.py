"""What this distribution registers. Light: no runtime and no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, BoardInfo, DoctorCheck
from edgectl_hailo.tools import COMPILER, RUNTIME


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """The emulators come first: they are where the compiler is."""
    return [
        BackendInfo(
            name="hailo",
            summary="HEF files for Hailo-8, 8L, 15 and 10H, through Hailo's compiler",
            entry="edgectl_hailo.backend:HailoBackend",
            precisions=("int8",),
            runtimes=("sdk-quantized", "sdk-optimized", "sdk-native", "hailort", "onnxruntime"),
            input="normalized",
            suffix=".hef",
            takes="network",
            tool=COMPILER,
        )
    ]


@hookimpl
def edgectl_register_boards() -> list[BoardInfo]:
    """Raspberry Pi 5 with either accelerator."""
    from edgectl_hailo.boards import BOARDS

    return list(BOARDS)


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """HailoRT, for the runtime ``hailort``. The compiler is core's to look for."""
    from edgectl.errors import BackendUnavailableError
    from edgectl.toolchains.tool import find_tool

    try:
        tool = find_tool(RUNTIME)
    except BackendUnavailableError as e:
        return [DoctorCheck("HailoRT", "warning", f"optional: {e.message}", e.fix or "")]
    return [DoctorCheck("HailoRT", "ok", f"{tool.version} through {tool.origin}".strip())]
