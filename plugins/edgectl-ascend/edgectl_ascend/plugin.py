"""What this distribution registers. Light: no torch here, and torch_npu is never imported."""

from __future__ import annotations

from edgectl.plugins.board import plain_memory
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, BoardInfo, DoctorCheck, ToolInfo

GIB = 1 << 30
_PAGE = "https://www.hiascend.com/en/hardware/developer-kit-a2"
ATC = ToolInfo(
    name="atc",
    command="atc",
    fix="install CANN and source its set_env.sh, or name the program: [tools.atc] command = ...",
)

AMCT = ToolInfo(
    name="amct",
    module="amct_onnx",
    distribution="amct-onnx",
    fix='install AMCT, then name its Python: [tools.amct] python = "..."; or --precision fp16',
)
AIS_BENCH = ToolInfo(
    name="ais_bench",
    module="ais_bench",
    distribution="ais_bench",
    fix='on a machine with an NPU, name the Python that has it: [tools.ais_bench] python = "..."',
)


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """``int8`` needs AMCT beside CANN; ``fp16`` needs ``atc`` alone."""
    return [
        BackendInfo(
            name="ascend",
            summary="OM files for Ascend NPUs, through CANN's atc",
            entry="edgectl_ascend.backend:AscendBackend",
            precisions=("fp16", "int8"),
            runtimes=("acl", "onnxruntime"),
            input="normalized",
            suffix=".om",
            takes="network",
            tool=ATC,
        )
    ]


@hookimpl
def edgectl_register_boards() -> list[BoardInfo]:
    """A developer kit and a server card; flash stands for the disk models lie on."""
    return [
        BoardInfo(
            "atlas-200i-dk",
            "Atlas 200I DK A2, Ascend 310B4, 8 TOPS",
            ("ascend",),
            plain_memory(ram_bytes=4 * GIB, flash_bytes=16 * GIB, source=_PAGE),
            page=_PAGE,
            accelerator="Ascend310B4",
        ),
        BoardInfo(
            "atlas-800t",
            "Atlas 800T A2 server, Ascend 910B cards",
            ("ascend",),
            plain_memory(ram_bytes=32 * GIB, flash_bytes=100 * GIB, source=_PAGE),
            page=_PAGE,
            accelerator="Ascend910B3",
        ),
    ]


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """torch, torch_npu and CANN: three versions that must fit."""
    from edgectl_ascend.doctor import check_versions

    return [check_versions()]
