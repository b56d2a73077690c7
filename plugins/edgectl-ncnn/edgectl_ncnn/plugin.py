"""What this distribution registers. Light: no runtime and no torch here."""

from __future__ import annotations

import importlib.metadata
from typing import Literal

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, BoardInfo, DoctorCheck


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """ncnn runs here; awnn runs on the board, and here on an integer simulator of the format."""
    return [
        BackendInfo(
            name="ncnn",
            summary="ncnn files for Linux boards and phones: int8, fp16 or fp32",
            entry="edgectl_ncnn.backend:NcnnBackend",
            precisions=("int8", "fp16", "fp32"),
            runtimes=("ncnn",),
            qat=True,
            input="normalized",
            suffix=".param",
        ),
        BackendInfo(
            name="awnn",
            summary="int8 for the Allwinner V831 (experimental), and the MaixHub package for it",
            entry="edgectl_ncnn.awnn.backend:AwnnBackend",
            precisions=("int8",),
            runtimes=("simulator",),
            qat=True,
            input="normalized",
        ),
    ]


@hookimpl
def edgectl_register_boards() -> list[BoardInfo]:
    """Boards of the makers that ship these runtimes."""
    from edgectl_ncnn.board.boards import BOARDS

    return list(BOARDS)


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """The runtime, and the converter the tests compare with."""
    return [
        _installed("ncnn", "missing", "runs .param files", "pip install edgectl-ncnn"),
        _installed(
            "pnnx",
            "warning",
            "optional: tests compare float files with its own",
            "pip install 'edgectl-ncnn[pnnx]'",
        ),
    ]


def _installed(
    distribution: str, absent: Literal["missing", "warning"], purpose: str, fix: str
) -> DoctorCheck:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return DoctorCheck(distribution, absent, purpose, fix)
    return DoctorCheck(distribution, "ok", version)
