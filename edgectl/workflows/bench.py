"""Measures latency, size, memory and metric of files side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.backends.runtime import default_runtime, file_on, open_runtime, precision_on
from edgectl.config.schema import RunConfig
from edgectl.data.images.preprocess import normalize
from edgectl.errors import BackendUnavailableError, UnknownNameError, UsageError
from edgectl.evaluation.bench import measure
from edgectl.files import find_artifacts
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.plugins.registry import Registry
from edgectl.runs.checkpoint import is_checkpoint
from edgectl.runs.rundir import RUNS, through_latest
from edgectl.runs.trained import nchw
from edgectl.sources.options import Statement
from edgectl.spec import PreprocessSpec, Size
from edgectl.tasks.lookup import task_info
from edgectl.workflows.arguments import PathLike, SizeLike, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.opening.backends import OpenBackend, open_backend
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import open_model
from edgectl.workflows.opening.networks import NetworkReader, is_network

_CHANNELS = (1, 3)


@dataclass(frozen=True)
class BenchRow:
    """One file on this machine.

    Attributes:
        bytes: what a device loads.
        latency_ms: the median of ``runs``; ``_10`` and ``_90``: percentiles.
        arena_bytes: working memory, where the backend tells.
        metric: what the export measured, by the name ``metric_name``.
    """

    model: str
    backend: str
    precision: str | None
    runtime: str
    bytes: int
    latency_ms: float
    latency_ms_10: float
    latency_ms_90: float
    runs: int
    arena_bytes: int | None
    metric: float | None
    metric_name: str | None


@dataclass(frozen=True)
class Benchmark:
    """A row a file."""

    rows: tuple[BenchRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``bench --json``."""
        return {"rows": [asdict(r) for r in self.rows]}


def bench(
    models: Sequence[PathLike] = (),
    *,
    runtime: str | None = None,
    imgsz: SizeLike | None = None,
    seconds: float = 1.0,
    device: str | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> Benchmark:
    """``edgectl bench``: each argument is its option.

    Args:
        models: artifacts, checkpoints or bare model files; default: every artifact under ``runs``.
        imgsz: input size of bare files that state none.
        seconds: of measurement, a model.
        device: where checkpoints run; default: the CPU.

    Raises:
        UsageError, UnknownNameError: no such file, size or runtime.
    """
    context = open_context(console, offline)
    chosen = list(map(Path, models))
    if not chosen:
        chosen = find_artifacts(RUNS, "**/export/*")
    if not chosen:
        raise UsageError("nothing exported yet", fix="edgectl export --backend BACKEND")
    size = None if imgsz is None else read_size(imgsz)
    rows = []
    for path in map(through_latest, chosen):
        try:
            if path.suffix == ".pt" and path.is_file() and is_checkpoint(path):
                rows.append(_measure_checkpoint(context.registry, path, device, seconds))
                continue
            if is_network(path) and context.registry.backend_of(path) is None:
                rows.append(_measure_network(context.registry, path, size, seconds))
                continue
            rows.append(_measure(_open(context.registry, path, runtime, size), seconds))
        except BackendUnavailableError as e:
            context.console.warn(f"{path}: {e.message}")
    return Benchmark(tuple(rows))


@dataclass(frozen=True)
class _Subject:
    """A file, and what is to run it. ``shape``: height, width and channels of an image. ``artifact``: None
    for a bare model file."""

    path: Path
    backend: OpenBackend
    runtime: str
    file: Path
    shape: tuple[int, int, int]
    bytes: int
    precision: str | None = None
    artifact: Artifact | None = None


def _open(registry: Registry, path: Path, runtime: str | None, size: Size | None) -> _Subject:
    if not path.exists():
        raise UsageError(
            "no such file or directory", where=str(path), fix="an artifact or a bare model file"
        )
    name = registry.backend_of(path)
    if name is None:
        return _open_artifact(registry, path, runtime)
    backend = open_backend(registry, name, RunConfig())
    wanted = _require_runtime(backend, backend.info.runtimes[0] if runtime is None else runtime)
    facts = backend.backend.describe(path)
    return _Subject(
        path,
        backend,
        wanted,
        file=path,
        shape=_input_shape(path, facts["inputs"], size),
        bytes=int(facts["file_bytes"]),
    )


def _open_artifact(registry: Registry, path: Path, runtime: str | None) -> _Subject:
    artifact = open_artifact(path if path.is_dir() else path.parent)
    manifest = artifact.manifest
    with explain_missing_plugins(manifest.tools):
        backend = open_backend(registry, artifact.backend, RunConfig())
    default = default_runtime(backend.info, manifest)
    wanted = _require_runtime(backend, default if runtime is None else runtime)
    file = file_on(backend.info, artifact.directory, manifest, wanted)
    whole = file == artifact.model_file
    return _Subject(
        path,
        backend,
        wanted,
        file=file,
        shape=_shape_of(artifact.preprocess),
        bytes=artifact.model_bytes if whole else file.stat().st_size,
        precision=precision_on(backend.info, manifest, wanted),
        artifact=artifact,
    )


def _require_runtime(backend: OpenBackend, runtime: str) -> str:
    if runtime not in backend.info.runtimes:
        raise UnknownNameError("runtime", runtime, backend.info.runtimes, where="--runtime")
    return runtime


def _measure(subject: _Subject, seconds: float) -> BenchRow:
    artifact = subject.artifact
    runner = open_runtime(
        subject.backend.backend,
        subject.backend.info,
        subject.file,
        runtime=subject.runtime,
        specs=() if artifact is None else artifact.outputs,
        preprocess=None if artifact is None else artifact.preprocess,
    )
    latency = measure(runner, subject.shape, seconds=seconds)
    manifest = None if artifact is None else artifact.manifest
    arena = manifest.tensors.arena if manifest is not None else None
    gate = manifest.gate if manifest is not None else None
    scored = manifest.metrics if manifest is not None else None
    name = "agreement" if gate is None else gate.metric
    return BenchRow(
        model=str(subject.path),
        backend=subject.backend.info.name,
        precision=subject.precision,
        runtime=subject.runtime,
        bytes=subject.bytes,
        latency_ms=round(latency.median_ms, 4),
        latency_ms_10=round(latency.fast_ms, 4),
        latency_ms_90=round(latency.slow_ms, 4),
        runs=latency.runs,
        arena_bytes=None if arena is None else arena.total,
        metric=scored.file.metrics.get(name) if scored else None,
        metric_name=name if scored else None,
    )


def _measure_network(registry: Registry, path: Path, size: Size | None, seconds: float) -> BenchRow:
    """A float network of another program in torch, up to its raw heads; its weights do not matter."""
    read = NetworkReader(registry, weights_needed=False).read(path, Statement(input_size=size))
    spec = PreprocessSpec(read.input_size)

    def predict(images: np.ndarray) -> list[Tensor]:
        with torch.no_grad():
            return read.run(normalize(nchw(images), spec))

    latency = measure(predict, (*read.input_size, spec.channels), seconds=seconds)
    return BenchRow(
        model=str(path),
        backend="torch",
        precision="fp32",
        runtime="cpu",
        bytes=read.path.stat().st_size,
        latency_ms=round(latency.median_ms, 4),
        latency_ms_10=round(latency.fast_ms, 4),
        latency_ms_90=round(latency.slow_ms, 4),
        runs=latency.runs,
        arena_bytes=None,
        metric=None,
        metric_name=None,
    )


def _measure_checkpoint(
    registry: Registry, path: Path, device: str | None, seconds: float
) -> BenchRow:
    """The float network in torch. The metric is what training measured on *valid*."""
    opened = open_model(registry, path, prefer_artifact=False, device=device)
    trained = opened.trained
    assert trained is not None
    latency = measure(trained.predictor(), _shape_of(trained.preprocess), seconds=seconds)
    name = task_info(opened.task).main_metric
    return BenchRow(
        model=str(path),
        backend="torch",
        precision="fp32",
        runtime=trained.device,
        bytes=path.stat().st_size,
        latency_ms=round(latency.median_ms, 4),
        latency_ms_10=round(latency.fast_ms, 4),
        latency_ms_90=round(latency.slow_ms, 4),
        runs=latency.runs,
        arena_bytes=None,
        metric=trained.checkpoint.metrics.get(name),
        metric_name=name,
    )


def _shape_of(spec: PreprocessSpec) -> tuple[int, int, int]:
    return (*spec.input_size, spec.channels)


def _input_shape(
    path: Path, inputs: list[dict[str, Any]], size: Size | None
) -> tuple[int, int, int]:
    """(height, width, channels) of a foreign file's input: (1, H, W, C) or (C, H, W), in color or gray.

    ``size``: as asked for; color where the file states no channels.
    """
    shape = [int(n) for n in (inputs[0].get("shape") or [])] if len(inputs) == 1 else []
    found = None
    if len(shape) == 4 and shape[3] in _CHANNELS:
        found = shape[1], shape[2], shape[3]
    elif len(shape) == 3 and shape[0] in _CHANNELS:
        found = shape[1], shape[2], shape[0]
    if size is not None:
        return (*size, 3 if found is None else found[2])
    if found is not None:
        return found
    raise UsageError(
        f"its input is {shape or 'of no stated size'}, not one image in color or gray",
        where=str(path),
        fix="--imgsz H W, if it takes one",
    )
