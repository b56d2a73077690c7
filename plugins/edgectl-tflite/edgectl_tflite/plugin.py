"""What this distribution registers. Light: no interpreter and no torch here."""

from __future__ import annotations

import importlib.metadata

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, BoardInfo, DoctorCheck, ToolInfo

VELA = ToolInfo(
    name="vela",
    module="ethosu.vela",
    distribution="ethos-u-vela",
    requirements=("ethos-u-vela==5.2.0",),
)
"""Arm's compiler for Ethos-U; needed for boards that have one, not for exports."""


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """One backend; its integer executor and the micro interpreter agree in every byte."""
    return [
        BackendInfo(
            name="tflite",
            summary="TensorFlow Lite files for microcontrollers, int8 or fp32",
            entry="edgectl_tflite.backend:TfliteBackend",
            precisions=("int8", "fp32"),
            runtimes=("litert", "litert-ref", "tflm", "integer"),
            exact=("tflm", "integer"),
            qat=True,
            suffix=".tflite",
            tool=VELA,
        )
    ]


@hookimpl
def edgectl_register_boards() -> list[BoardInfo]:
    """Boards whose firmware takes .tflite files."""
    from edgectl_tflite.board.boards import BOARDS

    return list(BOARDS)


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """The two interpreters, by their distributions' metadata."""
    return [
        _installed("ai-edge-litert", "pip install edgectl-tflite", optional=False),
        _installed("tflite-micro", "pip install 'edgectl-tflite[tflm]'", optional=True),
    ]


def _installed(distribution: str, fix: str, *, optional: bool) -> DoctorCheck:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        if optional:
            detail = "optional: runs files exactly as a microcontroller does"
            return DoctorCheck(distribution, "warning", detail, fix)
        return DoctorCheck(distribution, "missing", "reads, writes and runs .tflite files", fix)
    return DoctorCheck(distribution, "ok", version)
