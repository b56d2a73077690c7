"""Parity: does every hop compute what the one before it computed?

Three questions, answered on images the quantizer has not seen:

1. Does the float graph, lowered for the device, still equal the network? (max abs difference)
2. What did quantization cost at the raw heads? (SQNR in dB, before any output activation)
3. Do the runtimes that must agree bit for bit do so on the file itself? (differing elements: 0)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.artifacts.manifest import GraphParity, Parity, RuntimeParity
from edgectl.backends.contract import ArtifactReader
from edgectl.backends.runtime import open_runtime
from edgectl.data.loading.loader import EvalLoader
from edgectl.errors import BackendUnavailableError, GateFailedError
from edgectl.export.request import ExportRequest
from edgectl.plugins.info import BackendInfo
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import sqnr_db
from edgectl.runs.trained import nchw
from edgectl.sources.source import Source
from edgectl.spec import OutputSpec, PreprocessSpec

# fp32 networks of up to a hundred layers, folded batch norm: larger means a wrong graph
_LOWERING_TOLERANCE = 1e-3
_BATCH = 16
_PARITY_IMAGES = 32
_MOST_DECIBELS = 200.0


def raw_heads(graph: QuantGraph, specs: Sequence[OutputSpec]) -> list[str]:
    """Names of the raw head tensors: the input of the output activation where one was appended."""
    return [
        graph[name].inputs[0] if spec.applied else name
        for name, spec in zip(graph.outputs, specs, strict=True)
    ]


def measure_graph_parity(
    source: Source,
    graph: QuantGraph,
    quantized: QuantizedGraph | None,
    specs: Sequence[OutputSpec],
    batches: Iterable[np.ndarray],
    lower: Callable[[Tensor], Tensor],
) -> GraphParity:
    """Compares network, float graph and quantized graph over uint8 (N, H, W, C) batches.

    Args:
        lower: uint8 (N, C, H, W) to the graph's input.

    Raises:
        GateFailedError: the float graph is not the network (a fault of edgectl, never of the user).
    """
    heads = raw_heads(graph, specs)
    predict = source.predictor()
    gaps, images = [torch.zeros(())], 0
    signal: dict[str, list[Tensor]] = {h: [] for h in heads}
    test: dict[str, list[Tensor]] = {h: [] for h in heads}
    with torch.no_grad():
        for batch in batches:
            x = lower(nchw(batch))
            reference = predict(batch)
            taps: dict[str, Tensor] = {}
            graph.run(x, taps)
            for head, ref in zip(heads, reference, strict=True):
                gaps.append((taps[head] - ref).abs().max())
                signal[head].append(ref)
            if quantized is not None:
                taps = {}
                simulate(quantized, x, taps)
                for head in heads:
                    test[head].append(taps[head])
            images += len(batch)
    span = max(float(torch.cat(v).abs().max()) for v in signal.values())
    worst = float(torch.stack(gaps).max())  # not a number where any of them is
    if not worst <= _LOWERING_TOLERANCE * max(1.0, span):
        raise GateFailedError(
            f"the lowered float graph differs from the network by {worst:.2g}",
            fix="please report this with the run directory",
        )
    noise = (
        {
            s.name: _decibels(torch.cat(signal[h]), torch.cat(test[h]))
            for s, h in zip(specs, heads, strict=True)
        }
        if quantized is not None
        else {}
    )
    return GraphParity(images=images, float_max_abs=worst, sqnr_db=noise)


def choose_parity_images(request: ExportRequest[Any]) -> list[np.ndarray]:
    """Images for parity: valid where there is one, else the calibration images."""
    spec = request.source.preprocess
    source: Iterable[np.ndarray]
    valid = request.source.config.data.valid_split
    samples = () if request.index is None else request.index.splits.get(valid, ())
    if samples:
        # sets that come class by class would otherwise show the first class only
        samples = samples[:: max(1, len(samples) // _PARITY_IMAGES)][:_PARITY_IMAGES]
        source = (batch.images for batch in EvalLoader(samples, spec, _BATCH))
    elif request.calibration is not None:
        source = request.calibration.images(spec, _BATCH)
    else:
        source = _noise((*spec.input_size, spec.channels))
    return list(source)


def _noise(shape: Sequence[int]) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    yield rng.integers(0, 256, (4, *shape), dtype=np.uint8)


def measure_runtime_parity(
    backend: ArtifactReader,
    info: BackendInfo,
    model_file: Path,
    *,
    runtimes: Sequence[str],
    exact: Sequence[str],
    specs: Sequence[OutputSpec],
    preprocess: PreprocessSpec,
    images: np.ndarray,
    heads: Sequence[Tensor],
) -> Parity:
    """Runs the file on every runtime there is and compares each with the first of ``exact``.

    Args:
        exact: those of ``runtimes`` that must agree bit for bit.
        images: (N, H, W, C) uint8.
        heads: the network's raw outputs for the images.

    Returns:
        All but ``graph``.

    Raises:
        GateFailedError: runtimes declared exact differ in a single element, a head is not finite, or heads
            of the file have other shapes than the network's.
    """
    absent: dict[str, str] = {}
    results: dict[str, list[np.ndarray]] = {}
    for name in (*exact, *(r for r in runtimes if r not in exact)):
        try:
            runner = open_runtime(
                backend, info, model_file, runtime=name, specs=specs, preprocess=preprocess
            )
        except BackendUnavailableError as e:
            absent[name] = e.message
            continue
        results[name] = runner(images)
        _require_shapes(name, model_file, specs, results[name], heads)
    reference = next(iter(results), None)
    compared = {}
    if reference is not None:
        compared = {
            name: _compare_outputs(outputs, results[reference], specs, heads, exact=name in exact)
            for name, outputs in results.items()
        }
        _require_finite(compared, model_file)
        _require_exact(compared, reference, model_file)
    return Parity(reference=reference, images=len(images), runtimes=compared, absent=absent)


def _compare_outputs(
    outputs: Sequence[np.ndarray],
    reference: Sequence[np.ndarray],
    specs: Sequence[OutputSpec],
    heads: Sequence[Tensor],
    *,
    exact: bool,
) -> RuntimeParity:
    pairs = list(zip(reference, outputs, strict=True))
    raw = [
        (spec.name, head, y)
        for spec, head, y in zip(specs, heads, outputs, strict=True)
        if not spec.applied
    ]
    # not validated yet: what is not finite has an error of its own
    return RuntimeParity.model_construct(
        differing=int(sum(np.count_nonzero(a != b) for a, b in pairs)),
        of=int(sum(a.size for a, _ in pairs)),
        max_abs=float(max(np.abs(a - b).max() for a, b in pairs)),
        exact=exact,
        heads_max_abs=_largest([float(np.abs(head.numpy() - y).max()) for _, head, y in raw]),
        sqnr_db={name: _decibels(head, y) for name, head, y in raw},
    )


def _require_finite(compared: Mapping[str, RuntimeParity], model_file: Path) -> None:
    endless = [
        name
        for name, r in compared.items()
        if not math.isfinite(r.max_abs) or not math.isfinite(r.heads_max_abs or 0.0)
    ]
    if endless:
        raise GateFailedError(
            f"{', '.join(endless)}: the file's heads are not finite",
            where=model_file.name,
            fix="export with --precision fp32 and compare",
        )


def _require_exact(compared: Mapping[str, RuntimeParity], reference: str, model_file: Path) -> None:
    wrong = [name for name, r in compared.items() if r.exact and r.differing]
    if wrong:
        raise GateFailedError(
            f"{', '.join(wrong)} and {reference} must agree bit for bit and do not: "
            + ", ".join(f"{name} {compared[name].differing} elements" for name in wrong),
            where=model_file.name,
            fix="please report this with the model file",
        )


def _require_shapes(
    runtime: str,
    model_file: Path,
    specs: Sequence[OutputSpec],
    outputs: Sequence[np.ndarray],
    heads: Sequence[Tensor],
) -> None:
    """Raises GateFailedError where the file's heads cannot be compared with the network's."""
    if len(outputs) != len(heads):
        raise GateFailedError(
            f"{runtime} reads {len(outputs)} heads from the file; the network has {len(heads)}",
            where=model_file.name,
            fix="please report this with the model file",
        )
    for spec, output, head in zip(specs, outputs, heads, strict=True):
        if output.shape != tuple(head.shape):
            raise GateFailedError(
                f"{runtime} reads the head '{spec.name}' as {output.shape}; "
                f"the network's is {tuple(head.shape)}",
                where=model_file.name,
                fix="please report this with the model file",
            )


def _largest(gaps: list[float]) -> float | None:
    """None of none; not a number where any of them is, which Python's own ``max`` may overlook."""
    return float(np.max(gaps)) if gaps else None


def _decibels(ref: Tensor, test: Tensor | np.ndarray) -> float:
    """Convert a report's noise to decibels. Heads that are equal to the bit are infinitely far from
    noise, which JSON cannot say."""
    return round(max(-_MOST_DECIBELS, min(_MOST_DECIBELS, sqnr_db(ref, test))), 2)
