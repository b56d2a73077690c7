"""The export stages: checkpoint → float graph → quantised graph → file, each one measured.

    trace ─ fold preprocessing ─ check ─ prepare ─ calibrate ─ write ─ parity ─ score ─ manifest

The artifact appears, complete, under its name only when the last stage is done. A drop over the limit
keeps the artifact, says so in its manifest, and raises GateFailedError.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.data.calibration import CalibrationSet
from edgectl.data.index import DatasetIndex
from edgectl.data.loader import EvalLoader
from edgectl.data.preprocess import normalise
from edgectl.errors import ArtifactError, GateFailedError, UsageError
from edgectl.export.artifact import Artifact, open_artifact, replacing, sha256_of, write_manifest
from edgectl.export.evaluate import scorable_artifact, scorable_checkpoint, score
from edgectl.export.parity import graph_parity, raw_heads, runtime_parity
from edgectl.export.trained import TrainedModel, nchw
from edgectl.metrics.tasks import MAIN_METRIC
from edgectl.protocols import Backend, Packager, Progress, Remarker
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph import QuantGraph
from edgectl.quant.lowering import fold_preprocess
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.trace import trace
from edgectl.types import BackendInfo, OperatingPoint, OutputSpec, PreprocessSpec, Task

_BATCH = 16
_PARITY_PICTURES = 32


@dataclass(frozen=True)
class Prepared:
    """A float graph a backend accepts, what its outputs are, and what it takes."""

    graph: QuantGraph
    outputs: tuple[OutputSpec, ...]
    normalisation: PreprocessSpec | None
    """Of the graph's input; None where it is folded into the graph, which then takes pixel / 255."""

    def lower(self, pictures: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) to the graph's input, float32."""
        if self.normalisation is not None:
            return normalise(pictures, self.normalisation)
        return pictures.to(torch.float32) / 255.0


@dataclass(frozen=True)
class ExportRequest:
    """What to export, with what, to where.

    Attributes:
        index: the data set, for parity and scores; None exports without them (and says so).
        calibration: pictures of *train*; None only for float precisions.
        max_drop: limit on the main metric's drop from float; checked when ``index`` is given.
        operating_point: replaces the checkpoint's (QAT chooses its own).
        stage: ``ptq``, ``qat`` or ``float``, for the manifest.
    """

    trained: TrainedModel
    task: Task
    backend: Backend
    info: BackendInfo
    backend_config: Any
    precision: str
    out: Path
    index: DatasetIndex | None
    calibration: CalibrationSet | None
    max_drop: float
    operating_point: OperatingPoint | None = None
    stage: str = "ptq"


def prepare(
    trained: TrainedModel, backend: Backend, info: BackendInfo, backend_config: Any
) -> Prepared:
    """Traces the network, lowers the preprocessing, and lets the backend check and rewrite.

    Raises:
        ArtifactError: ops the device cannot run, each with module path and replacement.
    """
    graph = trace(trained.model, trained.preprocess.input_size)
    folded = info.input == "unit"
    if folded:
        graph = fold_preprocess(graph, trained.preprocess)
    issues = backend.check(graph)
    if issues:
        raise ArtifactError(
            f"{len(issues)} ops cannot run on {info.name}: " + "; ".join(issues),
            where=str(trained.path),
            fix="train a variant without them; each entry names the replacement",
        )
    graph, outputs = backend.prepare(graph, trained.outputs, backend_config)
    return Prepared(graph, outputs, None if folded else trained.preprocess)


def calibrated(prepared: Prepared, request: ExportRequest, progress: Progress) -> QuantizedGraph:
    """PTQ in the backend's arithmetic.

    The search looks at the raw heads. An activation appended behind them has parameters of its own
    kernel's choosing, and flattens the very errors that should be seen.
    """
    if request.calibration is None:
        raise UsageError("int8 needs calibration pictures", fix="add --calib DATA or --calib DIR")
    pictures = request.calibration.pictures(request.trained.preprocess, _BATCH)
    scheme = request.backend.scheme(request.backend_config)
    stored = [prepared.lower(nchw(p)) for p in pictures]
    heads = raw_heads(prepared.graph, prepared.outputs)
    appended = [
        n for n in prepared.graph if n.name in prepared.graph.outputs and n.name not in heads
    ]
    raw = QuantGraph([n for n in prepared.graph if n not in appended], heads)
    found = calibrate(raw, scheme, lambda: stored, request.trained.config.quant, progress)
    fixed = {n.name: scheme.fixed_outputs[n.op] for n in appended}
    return replace(
        found,
        graph=QuantGraph([*found.graph, *appended], prepared.graph.outputs),
        activations={**found.activations, **fixed},
    )


def export_model(
    request: ExportRequest,
    *,
    quantized: QuantizedGraph | None = None,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Runs all stages. ``quantized`` (from QAT) replaces calibration.

    Raises:
        GateFailedError: runtimes that must agree do not (no artifact), or the drop is over the limit
            (the artifact stays, its manifest has ``gate.passed`` false).
    """
    trained, info = request.trained, request.info
    if request.precision not in info.precisions:
        raise UsageError(
            f"{info.name} writes {', '.join(info.precisions)}, not {request.precision}",
            where="--precision",
        )
    progress("tracing the network")
    prepared = prepare(trained, request.backend, info, request.backend_config)
    remarks = _remarks(request.backend, prepared.graph)
    for remark in remarks:
        progress(remark)
    integer = request.precision == "int8"
    if integer and quantized is None:
        progress("calibrating")
        quantized = calibrated(prepared, request, progress)
    with replacing(request.out) as directory:
        progress("writing")
        files = request.backend.write(
            quantized if integer and quantized is not None else prepared.graph,
            directory,
            specs=prepared.outputs,
            preprocess=trained.preprocess,
            classes=trained.classes,
            precision=request.precision,
            config=request.backend_config,
        )
        if isinstance(request.backend, Packager) and request.calibration is not None:
            request.backend.package(
                directory,
                graph=prepared.graph,
                pictures=request.calibration.pictures(trained.preprocess, _BATCH),
                preprocess=trained.preprocess,
                config=request.backend_config,
            )
        manifest = _manifest(request, prepared, files[0], directory)
        manifest["remarks"] = remarks
        progress("checking parity")
        manifest["parity"] = _parity(
            request, prepared, quantized if integer else None, files[0], manifest
        )
        manifest["tensors"] = request.backend.describe(files[0])
        (directory / "README.md").write_text(request.backend.usage(manifest), encoding="utf-8")
        write_manifest(directory, manifest)
        if request.index is not None:
            progress("scoring the file")
            manifest["metrics"], manifest["gate"] = _metrics(request, directory)
            write_manifest(directory, manifest)
    artifact = open_artifact(request.out)
    gate = manifest.get("gate")
    if gate is not None and not gate["passed"]:
        raise GateFailedError(
            f"{gate['metric']} fell by {gate['drop']:.4f} on the exported file, "
            f"more than {request.max_drop}",
            where=str(artifact.directory),
            fix=f"edgectl qat --backend {info.name}, or more calibration pictures",
        )
    return artifact


def _remarks(backend: Backend, graph: QuantGraph) -> list[str]:
    return backend.remarks(graph) if isinstance(backend, Remarker) else []


def _manifest(
    request: ExportRequest, prepared: Prepared, model_file: Path, directory: Path
) -> dict[str, Any]:
    trained = request.trained
    checkpoint = trained.checkpoint
    point = request.operating_point or checkpoint.operating_point
    return {
        "backend": request.info.name,
        "precision": request.precision,
        "stage": request.stage,
        "status": "built",
        "model": model_file.relative_to(directory).as_posix(),
        "family": checkpoint.family,
        "variant": checkpoint.variant,
        "model_config": trained.config.model,
        "task": request.task,
        "classes": list(trained.classes),
        "preprocess": trained.preprocess.to_dict(),
        "outputs": [s.to_dict() for s in prepared.outputs],
        "operating_point": None if point is None else vars(point),
        "checkpoint": {
            # relative, so that a run directory can be moved or copied as a whole
            "path": Path(os.path.relpath(trained.path, request.out)).as_posix(),
            "sha256": sha256_of(trained.path),
            "epoch": checkpoint.epoch,
        },
        "data": checkpoint.data,
        "calibration": None if request.calibration is None else request.calibration.to_dict(),
        "quantisation": trained.config.quant.model_dump() if request.precision == "int8" else None,
        "tools": tool_versions(),
    }


def tool_versions() -> dict[str, str]:
    """Every installed distribution of ours and the libraries that shape the file."""
    names = {"torch", "numpy", "opencv-python-headless"}
    for entry in importlib.metadata.entry_points(group="edgectl"):
        if entry.dist is not None:
            names.add(entry.dist.name)
    return {
        "python": platform.python_version(),
        **{n: importlib.metadata.version(n) for n in sorted(names)},
    }


def _parity_batches(request: ExportRequest) -> list[np.ndarray]:
    """Pictures for parity: valid where there is a data set, else the calibration pictures."""
    spec = request.trained.preprocess
    source: Iterable[np.ndarray]
    if request.index is not None:
        split = request.trained.config.data.valid_split
        samples = request.index.splits[split]
        # sets that come class by class would otherwise show the first class only
        samples = samples[:: max(1, len(samples) // _PARITY_PICTURES)][:_PARITY_PICTURES]
        source = (batch.pictures for batch in EvalLoader(samples, spec, _BATCH))
    elif request.calibration is not None:
        source = request.calibration.pictures(spec, _BATCH)
    else:
        source = _noise(spec.input_size)
    return list(source)


def _noise(size: Sequence[int]) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    yield rng.integers(0, 256, (4, *size, 3), dtype=np.uint8)


def _parity(
    request: ExportRequest,
    prepared: Prepared,
    quantized: QuantizedGraph | None,
    model_file: Path,
    manifest: dict[str, Any],
) -> dict[str, Any]:
    batches = _parity_batches(request)
    with torch.no_grad():
        graph = graph_parity(
            request.trained, prepared.graph, quantized, prepared.outputs, batches, prepared.lower
        )
    runtimes = runtime_parity(
        request.backend,
        request.info if quantized is not None else _without_exact(request.info),
        model_file,
        prepared.outputs,
        manifest,
        np.concatenate(batches),
        [
            torch.cat(parts)
            for parts in zip(*map(request.trained.predictor(), batches), strict=True)
        ],
    )
    return {"graph": graph.to_dict(), **runtimes}


def _without_exact(info: BackendInfo) -> BackendInfo:
    # floating-point kernels agree within rounding only; nothing exact is promised of them
    runtimes = tuple(r for r in info.runtimes if r not in info.exact)
    return BackendInfo(info.name, info.summary, info.entry, info.precisions, runtimes)


def _metrics(request: ExportRequest, directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Float and file on valid, each beside the sha256 of what was measured, and the verdict."""
    assert request.index is not None
    trained, split = request.trained, request.trained.config.data.valid_split
    artifact = Artifact(directory, _read_back(directory))
    reference = score(scorable_checkpoint(trained, request.task, None), request.index, split)
    measured = score(
        scorable_artifact(
            artifact,
            request.backend,
            request.info,
            trained.postprocess(),
            runtime=None,
            threshold=None,
        ),
        request.index,
        split,
    )
    measured["model"]["path"] = artifact.manifest["model"]
    name = MAIN_METRIC[request.task]
    drop = float(reference["metrics"][name]) - float(measured["metrics"][name])
    gate = {
        "metric": name,
        "drop": drop,
        "limit": request.max_drop,
        "passed": drop <= request.max_drop,
    }
    return {"float": reference, "file": measured}, gate


def _read_back(directory: Path) -> dict[str, Any]:
    return open_artifact(directory).manifest
