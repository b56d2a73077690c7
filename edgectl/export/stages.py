"""The export stages: checkpoint → float graph → quantized graph → file, each one measured.

    trace ─ fold preprocessing ─ check ─ prepare ─ calibrate ─ write ─ parity ─ score ─ manifest

The artifact appears, complete, under its name only when the last stage is done. A drop over the limit
keeps the artifact, says so in its manifest, and raises GateFailedError.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.artifacts.artifact import Artifact, open_artifact, write_manifest
from edgectl.backends.contract import Backend, Packager, Remarker, WriteRequest
from edgectl.data.images.preprocess import normalize
from edgectl.errors import ArtifactError, UsageError
from edgectl.export.parity import graph_parity, parity_images, raw_heads, runtime_parity
from edgectl.export.provenance import provenance
from edgectl.export.rehearsal import rehearse
from edgectl.export.request import ExportRequest
from edgectl.export.verdict import has_validation_split, measured, require_gate
from edgectl.files import replacing, require_replaceable
from edgectl.plugins.info import BackendInfo
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.runs.trained import TrainedModel, nchw
from edgectl.spec import OutputSpec, PreprocessSpec, Progress

_BATCH = 16
_REHEARSED = 2
"""Images the way to the file is tried on before the search."""


@dataclass(frozen=True)
class Prepared:
    """A float graph a backend accepts, what its outputs are, and what it takes."""

    graph: QuantGraph
    outputs: tuple[OutputSpec, ...]
    normalization: PreprocessSpec | None
    """Of the graph's input; None where it is folded into the graph, which then takes pixel / 255."""

    def lower(self, images: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) to the graph's input, float32."""
        if self.normalization is not None:
            return normalize(images, self.normalization)
        return images.to(torch.float32) / 255.0


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


def calibrated(
    prepared: Prepared, request: ExportRequest[Backend], progress: Progress
) -> QuantizedGraph:
    """PTQ in the backend's arithmetic.

    The search looks at the raw heads. An activation appended behind them has parameters of its own
    kernel's choosing, and flattens the very errors that should be seen.
    """
    if request.calibration is None:
        raise UsageError("int8 needs calibration images", fix="add --calib DATA or --calib DIR")
    images = request.calibration.images(request.trained.preprocess, _BATCH)
    scheme = request.backend.scheme(request.backend_config)
    stored = [prepared.lower(nchw(p)) for p in images]
    for few in request.calibration.images(request.trained.preprocess, _REHEARSED):
        rehearse(prepared, request, few)
        break
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
    request: ExportRequest[Backend],
    *,
    quantized: QuantizedGraph | None = None,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Runs all stages. ``quantized`` (from QAT) replaces calibration.

    Raises:
        UsageError: ``request.out`` is something else already.
        GateFailedError: runtimes that must agree do not (no artifact), or the drop is over the limit
            (the artifact stays, its manifest has ``gate.passed`` false).
    """
    trained, info = request.trained, request.info
    request.require_precision()
    require_replaceable(request.out, "artifact")
    progress("tracing the network")
    prepared = prepare(trained, request.backend, info, request.backend_config)
    remarks = _remarks(request.backend, prepared.graph)
    for remark in remarks:
        progress(remark)
    integer = request.precision == "int8"
    if integer and quantized is None:
        progress("calibrating")
        quantized = calibrated(prepared, request, progress)
    with replacing(request.out, "artifact") as directory:
        progress("writing")
        files = request.backend.write(
            WriteRequest(
                graph=quantized if integer and quantized is not None else prepared.graph,
                directory=directory,
                outputs=prepared.outputs,
                preprocess=trained.preprocess,
                classes=tuple(trained.classes),
                precision=request.precision,
                config=request.backend_config,
            )
        )
        if isinstance(request.backend, Packager) and request.calibration is not None:
            request.backend.package(
                directory,
                graph=prepared.graph,
                images=request.calibration.images(trained.preprocess, _BATCH),
                preprocess=trained.preprocess,
                config=request.backend_config,
            )
        manifest = {
            **provenance(request, prepared.outputs),
            "status": "built",
            "model": files[0].relative_to(directory).as_posix(),
            "quantization": trained.config.quant.model_dump() if integer else None,
            "remarks": remarks,
        }
        progress("checking parity")
        manifest["parity"] = _parity(
            request, prepared, quantized if integer else None, files[0], manifest
        )
        manifest["tensors"] = request.backend.describe(files[0])
        (directory / "README.md").write_text(request.backend.usage(manifest), encoding="utf-8")
        write_manifest(directory, manifest)
        if has_validation_split(request):
            progress("scoring the file")
            manifest["metrics"], manifest["gate"] = measured(request, directory)
            write_manifest(directory, manifest)
        else:
            progress("not scored: no labelled images to score on")
    require_gate(
        manifest, request.out, f"edgectl qat --backend {info.name}, or more calibration images"
    )
    return open_artifact(request.out)


def _remarks(backend: Backend, graph: QuantGraph) -> list[str]:
    return backend.remarks(graph) if isinstance(backend, Remarker) else []


def _parity(
    request: ExportRequest[Backend],
    prepared: Prepared,
    quantized: QuantizedGraph | None,
    model_file: Path,
    manifest: dict[str, Any],
) -> dict[str, Any]:
    batches = parity_images(request)
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
