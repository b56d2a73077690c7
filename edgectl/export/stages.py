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

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.artifacts.manifest import Parity, Tensors
from edgectl.backends.contract import Backend, Packager, Remarker, WriteRequest
from edgectl.data.images.preprocess import normalize
from edgectl.errors import UsageError
from edgectl.export.finish import WrittenModel, finish_artifact, require_supported
from edgectl.export.gate import require_gate
from edgectl.export.parity import (
    choose_parity_images,
    measure_graph_parity,
    measure_runtime_parity,
    raw_heads,
)
from edgectl.export.rehearsal import rehearse
from edgectl.export.request import ExportRequest
from edgectl.export.roles import roles_of
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
    require_supported(backend.check(graph), info, trained.path)
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
    found = calibrate(
        raw,
        scheme,
        lambda: stored,
        request.trained.config.quant,
        progress,
        roles_of(prepared.outputs),
    )
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
    request.require_precision()
    require_replaceable(request.out, "artifact")
    progress("tracing the network")
    prepared = prepare(request.trained, request.backend, request.info, request.backend_config)
    remarks = _remarks(request.backend, prepared.graph)
    for remark in remarks:
        progress(remark)
    if request.precision != "int8":
        quantized = None
    elif quantized is None:
        progress("calibrating")
        quantized = calibrated(prepared, request, progress)
    with replacing(request.out, "artifact") as directory:
        progress("writing")
        model_file = _write_files(request, prepared, quantized, directory)
        progress("checking parity")
        written = WrittenModel(
            model=model_file.relative_to(directory).as_posix(),
            outputs=prepared.outputs,
            parity=_measure_parity(request, prepared, quantized, model_file),
            tensors=Tensors.from_description(request.backend.describe(model_file)),
            remarks=remarks,
            quantization=None if quantized is None else request.trained.config.quant.model_dump(),
        )
        artifact = finish_artifact(request, written, directory, progress)
    require_gate(
        artifact.manifest,
        request.out,
        f"edgectl qat --backend {request.info.name}, or more calibration images",
    )
    return open_artifact(request.out)


def _remarks(backend: Backend, graph: QuantGraph) -> tuple[str, ...]:
    return tuple(backend.remarks(graph)) if isinstance(backend, Remarker) else ()


def _write_files(
    request: ExportRequest[Backend],
    prepared: Prepared,
    quantized: QuantizedGraph | None,
    directory: Path,
) -> Path:
    """The model file, and what else goes into ``directory``."""
    trained, backend = request.trained, request.backend
    files = backend.write(
        WriteRequest(
            graph=prepared.graph if quantized is None else quantized,
            directory=directory,
            outputs=prepared.outputs,
            preprocess=trained.preprocess,
            classes=tuple(trained.classes),
            precision=request.precision,
            config=request.backend_config,
        )
    )
    if isinstance(backend, Packager) and request.calibration is not None:
        backend.package(
            directory,
            graph=prepared.graph,
            images=request.calibration.images(trained.preprocess, _BATCH),
            preprocess=trained.preprocess,
            config=request.backend_config,
        )
    return files[0]


def _measure_parity(
    request: ExportRequest[Backend],
    prepared: Prepared,
    quantized: QuantizedGraph | None,
    model_file: Path,
) -> Parity:
    trained, info = request.trained, request.info
    batches = choose_parity_images(request)
    predict = trained.predictor()
    with torch.no_grad():
        graph = measure_graph_parity(
            trained, prepared.graph, quantized, prepared.outputs, batches, prepared.lower
        )
    # floating-point kernels agree within rounding only; nothing exact is promised of them
    inexact = [r for r in info.runtimes if r not in info.exact]
    parity = measure_runtime_parity(
        request.backend,
        info,
        model_file,
        runtimes=inexact if quantized is None else info.runtimes,
        exact=() if quantized is None else info.exact,
        specs=prepared.outputs,
        preprocess=trained.preprocess,
        images=np.concatenate(batches),
        heads=[torch.cat(parts) for parts in zip(*map(predict, batches), strict=True)],
    )
    return parity.model_copy(update={"graph": graph})
