"""Which runtime an artifact runs on, and how it is opened there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgectl.errors import ArtifactError
from edgectl.protocols import ArtifactReader, Runner
from edgectl.types import BackendInfo, OutputSpec
from edgectl.vendor.network import ONNX_FILE
from edgectl.vendor.onnx_runtime import RUNTIME as ONNX_RUNTIME
from edgectl.vendor.onnx_runtime import OnnxRunner


def default_runtime(info: BackendInfo, manifest: Mapping[str, Any]) -> str:
    """The backend's first; ONNX Runtime for the network of a compiler's artifact that cannot run here.

    Raises:
        ArtifactError: the manifest names one the backend does not have.
    """
    noted = str(manifest.get("runtime") or info.runtimes[0])
    if noted not in info.runtimes:
        raise ArtifactError(
            f"made to run on '{noted}', which '{info.name}' does not have",
            fix="add --runtime with one of: " + ", ".join(info.runtimes),
        )
    return noted


def file_on(info: BackendInfo, directory: Path, manifest: Mapping[str, Any], runtime: str) -> Path:
    """What a runtime loads: the product, or the float network it is compiled from."""
    if info.takes == "network" and runtime == ONNX_RUNTIME:
        return directory / ONNX_FILE
    return directory / str(manifest["model"])


def precision_on(info: BackendInfo, manifest: Mapping[str, Any], runtime: str) -> str:
    """What that file computes in: a compiler starts from the float network."""
    float_network = info.takes == "network" and runtime == ONNX_RUNTIME
    return "fp32" if float_network else str(manifest["precision"])


def open_runtime(
    backend: ArtifactReader,
    info: BackendInfo,
    file: Path,
    *,
    runtime: str,
    specs: Sequence[OutputSpec],
    manifest: Mapping[str, Any],
) -> Runner:
    """A Runner for a file of a backend. ``file``: as :func:`file_on` has it.

    Raises:
        BackendUnavailableError: a runtime that is not installed.
        ArtifactError: a bad file.
    """
    if info.takes == "network" and runtime == ONNX_RUNTIME:
        return OnnxRunner(file, specs, manifest)
    return backend.open(file, runtime=runtime, specs=specs, manifest=manifest)
