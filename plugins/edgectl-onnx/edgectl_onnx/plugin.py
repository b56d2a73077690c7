"""What this distribution registers. Light: no runtime and no torch here."""

from __future__ import annotations

import importlib.metadata

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, DoctorCheck


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """One backend, on core's own runtime."""
    return [
        BackendInfo(
            name="onnx",
            summary="the float network as ONNX, for ONNX Runtime and other readers",
            entry="edgectl_onnx.backend:OnnxBackend",
            precisions=("fp32",),
            runtimes=("onnxruntime",),
            input="normalized",
            suffix=".onnx",
            takes="network",
        )
    ]


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """The three packages the extra brings."""
    return [_installed(name) for name in ("onnx", "onnxsim", "onnxruntime")]


def _installed(name: str) -> DoctorCheck:
    try:
        return DoctorCheck(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return DoctorCheck(name, "missing", "not installed", "pip install 'edgectl[onnx]'")
