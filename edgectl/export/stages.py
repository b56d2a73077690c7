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
from edgectl.config.paths import cache_directory
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
from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.head_distance import HeadRole
from edgectl.quant.kept import calibrate_once
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.remarks import compare_with_training, describe_images
from edgectl.runs.trained import nchw
from edgectl.sources.source import Source
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
    """Normalization of the graph's input; None where it is folded into the graph, which then takes pixel
    / 255."""

    def lower(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) to the graph's input, float32."""
        if self.normalization is not None:
            return normalize(images, self.normalization)
        return images.to(torch.float32) / 255.0


def prepare(source: Source, backend: Backend, info: BackendInfo, backend_config: Any) -> Prepared:
    """Traces the network, lowers the preprocessing, and lets the backend check and rewrite.

    Raises:
        ArtifactError: ops the device cannot run, each with module path and replacement.
    """
    graph = source.trace()
    folded = info.input == "unit"
    if folded:
        graph = fold_preprocess(graph, source.preprocess, exact=True)
    require_supported(backend.check(graph), info, source.path)
    graph, outputs = backend.prepare(graph, source.outputs, backend_config)
    return Prepared(graph, outputs, None if folded else source.preprocess)


@dataclass(frozen=True)
class CalibrationInput:
    """What the quantizer is given: the graph up to its raw heads, the images as it takes them, what the
    heads are, and what is wrong with the images, in sentences."""

    graph: QuantGraph
    images: list[Tensor]
    roles: list[HeadRole]
    remarks: tuple[str, ...]


def calibration_input(prepared: Prepared, request: ExportRequest[Backend]) -> CalibrationInput:
    """The search looks at the raw heads. An activation appended behind them has parameters of its own
    kernel's choosing, and flattens the very errors that should be seen.

    Raises:
        UsageError: no images.
    """
    if request.calibration is None:
        raise UsageError("int8 needs calibration images", fix="add --calib DATA or --calib DIR")
    source = request.source
    pixels = [nchw(p) for p in request.calibration.images(source.preprocess, _BATCH)]
    remarks = describe_images(pixels)
    if pixels:
        remarks += compare_with_training(source.model, normalize(pixels[0], source.preprocess))
    heads = raw_heads(prepared.graph, prepared.outputs)
    raw = QuantGraph(
        [n for n in prepared.graph if n.name in heads or n.name not in prepared.graph.outputs],
        heads,
    )
    return CalibrationInput(
        raw, [prepared.lower(p) for p in pixels], roles_of(prepared.outputs), tuple(remarks)
    )


def quantize_raw(
    given: CalibrationInput, request: ExportRequest[Backend], progress: Progress
) -> QuantizedGraph:
    """PTQ in the backend's arithmetic, of the graph up to its raw heads; kept for the next time."""
    return calibrate_once(
        given.graph,
        request.backend.scheme(request.backend_config),
        given.images,
        request.source.config.quant,
        progress,
        given.roles,
        cache_directory() / "calibration",
    )


def calibrated(
    prepared: Prepared,
    request: ExportRequest[Backend],
    progress: Progress,
    given: CalibrationInput | None = None,
) -> QuantizedGraph:
    """PTQ of the whole graph. ``given``: made from the request where it is not there yet."""
    given = given or calibration_input(prepared, request)
    assert request.calibration is not None
    for few in request.calibration.images(request.source.preprocess, _REHEARSED):
        rehearse(prepared, request, few)
        break
    found = quantize_raw(given, request, progress)
    scheme = found.scheme
    appended = [n for n in prepared.graph if n.name not in given.graph]
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
    prepared = prepare(request.source, request.backend, request.info, request.backend_config)
    remarks = _remarks(request.backend, prepared.graph)
    for remark in remarks:
        progress(remark)
    if request.precision != "int8":
        quantized = None
    elif quantized is None:
        progress("calibrating")
        given = calibration_input(prepared, request)
        for remark in given.remarks:
            progress(remark)
        remarks += given.remarks
        quantized = calibrated(prepared, request, progress, given)
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
            quantization=None if quantized is None else request.source.config.quant.model_dump(),
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
    source, backend = request.source, request.backend
    files = backend.write(
        WriteRequest(
            graph=prepared.graph if quantized is None else quantized,
            directory=directory,
            outputs=prepared.outputs,
            preprocess=source.preprocess,
            classes=tuple(source.classes),
            precision=request.precision,
            config=request.backend_config,
        )
    )
    if isinstance(backend, Packager) and request.calibration is not None:
        backend.package(
            directory,
            graph=prepared.graph,
            images=request.calibration.images(source.preprocess, _BATCH),
            preprocess=source.preprocess,
            config=request.backend_config,
        )
    return files[0]


def _measure_parity(
    request: ExportRequest[Backend],
    prepared: Prepared,
    quantized: QuantizedGraph | None,
    model_file: Path,
) -> Parity:
    source, info = request.source, request.info
    batches = choose_parity_images(request)
    predict = source.predictor()
    with torch.no_grad():
        graph = measure_graph_parity(
            source, prepared.graph, quantized, prepared.outputs, batches, prepared.lower
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
        preprocess=source.preprocess,
        images=np.concatenate(batches),
        heads=[torch.cat(parts) for parts in zip(*map(predict, batches), strict=True)],
    )
    return parity.model_copy(update={"graph": graph})
