"""Which runtime an artifact runs on, and how its file is opened there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from edgectl.artifacts.artifact import Artifact
from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import ArtifactReader, Runner
from edgectl.backends.network import ONNX_FILE
from edgectl.backends.onnx_runtime import RUNTIME as ONNX_RUNTIME
from edgectl.backends.onnx_runtime import OnnxRunner
from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.plugins.info import BackendInfo
from edgectl.spec import OutputSpec, PreprocessSpec


def default_runtime(info: BackendInfo, manifest: Manifest) -> str:
    """The backend's first; ONNX Runtime for the network of a compiler's artifact that cannot run here.

    Raises:
        ArtifactError: the manifest names one the backend does not have.
    """
    noted = manifest.runtime or info.runtimes[0]
    if noted not in info.runtimes and not _is_float_network(info, noted):
        raise ArtifactError(
            f"made to run on '{noted}', which '{info.name}' does not have",
            fix="add --runtime with one of: " + ", ".join(info.runtimes),
        )
    return noted


def list_exact_runtimes(info: BackendInfo, manifest: Manifest) -> tuple[str, ...]:
    """Those that compute this artifact as the device does, bit for bit; of float files none does."""
    return info.exact if manifest.precision == "int8" else ()


def open_as_on_device(
    backend: ArtifactReader, info: BackendInfo, artifact: Artifact
) -> tuple[str, Runner]:
    """The first exact runtime that is installed, else the default one, and its name.

    Raises:
        BackendUnavailableError: none is installed.
        ArtifactError: a bad file.
    """

    def opened(runtime: str) -> Runner:
        file = file_on(info, artifact.directory, artifact.manifest, runtime)
        return open_runtime(
            backend,
            info,
            file,
            runtime=runtime,
            specs=artifact.outputs,
            preprocess=artifact.preprocess,
        )

    for runtime in list_exact_runtimes(info, artifact.manifest):
        with suppress(BackendUnavailableError):
            return runtime, opened(runtime)
    runtime = default_runtime(info, artifact.manifest)
    return runtime, opened(runtime)


def file_on(info: BackendInfo, directory: Path, manifest: Manifest, runtime: str) -> Path:
    """What a runtime loads: the product, or the float network it is compiled from."""
    if _is_float_network(info, runtime):
        return directory / ONNX_FILE
    return directory / manifest.model


def precision_on(info: BackendInfo, manifest: Manifest, runtime: str) -> str:
    """What that file computes in: a compiler starts from the float network."""
    return "fp32" if _is_float_network(info, runtime) else manifest.precision


def open_runtime(
    backend: ArtifactReader,
    info: BackendInfo,
    file: Path,
    *,
    runtime: str,
    specs: Sequence[OutputSpec],
    preprocess: PreprocessSpec | None,
) -> Runner:
    """Opens a file of a backend.

    Args:
        file: as :func:`file_on` has it.
        specs: of its outputs; empty for a file that edgectl did not write.
        preprocess: None for a file that edgectl did not write.

    Raises:
        BackendUnavailableError: a runtime that is not installed.
        ArtifactError: a bad file.
    """
    if _is_float_network(info, runtime):
        return OnnxRunner(file, specs, preprocess)
    return backend.open(file, runtime=runtime, specs=specs, preprocess=preprocess)


def _is_float_network(info: BackendInfo, runtime: str) -> bool:
    """What a vendor's compiler starts from runs here without any of its tools."""
    return info.takes == "network" and runtime == ONNX_RUNTIME
