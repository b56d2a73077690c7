"""What this distribution registers. Light: neither torch nor an interpreter is imported here."""

from __future__ import annotations

import importlib.metadata

from edgectl.plugins.hookspecs import hookimpl
from edgectl.types import BackendInfo, BoardInfo, DoctorCheck

_KIB = 1024
_MIB = 1024 * 1024


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """TensorFlow Lite files."""
    return [
        BackendInfo(
            name="tflite",
            summary="int8 TensorFlow Lite for microcontrollers, proven on the real interpreters",
            entry="edgectl_tflite.backend:TfliteBackend",
            precisions=("int8", "fp32"),
            runtimes=("litert", "litert-ref", "tflm", "integer"),
            exact=("integer", "tflm"),
            qat=True,
        )
    ]


@hookimpl
def edgectl_register_boards() -> list[BoardInfo]:
    """Boards that run such files; sizes from the makers' data sheets."""
    return [
        BoardInfo(
            name="grove-vision-ai-v2",
            summary="Seeed Grove Vision AI V2, Himax WE2",
            backend="tflite",
            flash_bytes=16 * _MIB,
            ram_bytes=2432 * _KIB,
            accelerator="Ethos-U55-64",
        ),
        BoardInfo(
            name="xiao-esp32s3",
            summary="Seeed XIAO ESP32S3 Sense",
            backend="tflite",
            flash_bytes=8 * _MIB,
            ram_bytes=512 * _KIB,
        ),
    ]


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """The two interpreters that judge what is written."""
    return [
        _installed("ai-edge-litert", "pip install edgectl-tflite", "missing"),
        _installed("tflite-micro", "pip install 'edgectl-tflite[tflm]'", "warning"),
    ]


def _installed(distribution: str, fix: str, otherwise: str) -> DoctorCheck:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        status = "missing" if otherwise == "missing" else "warning"
        return DoctorCheck(distribution, status, "not installed", fix)  # type: ignore[arg-type]
    return DoctorCheck(distribution, "ok", version)
