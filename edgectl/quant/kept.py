"""Results of calibration, kept: ``export`` and ``qat`` of one network need the same one.

The key is a hash of all that decides: the graph with its weights, the arithmetic, the configuration, the
images' pixels and the version of edgectl. A file from outside never runs code: tensors and numbers only.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgectl import __version__
from edgectl.config.schema import QuantConfig
from edgectl.errors import EdgectlError
from edgectl.files import replacing_file
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.head_distance import HeadRole
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.spec import Progress

_SCHEMA = "edgectl-calibration/1"

_MOST = 16
"""Results that are kept; the oldest goes first."""

_NO_MATTER = frozenset({"calib_images", "max_drop"})
"""Keys of the configuration that say which images, and how the result is judged."""


def calibrate_once(
    graph: QuantGraph,
    scheme: QuantScheme,
    images: Sequence[Tensor],
    config: QuantConfig,
    progress: Progress,
    roles: Sequence[HeadRole] | None,
    directory: Path,
) -> QuantizedGraph:
    """:func:`edgectl.quant.calibrate.calibrate`, or what it gave for the same arguments before.

    Args:
        directory: where results are kept; made when needed. Where it cannot be written, nothing is kept.
    """
    file = directory / f"{calibration_key(graph, scheme, images, config, roles)}.pt"
    found = _load(file, scheme)
    if found is not None:
        progress("calibrated before, with the same images and settings")
        return found
    found = calibrate(graph, scheme, lambda: images, config, progress, roles)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with replacing_file(file) as f:
            torch.save(_to_plain(found), f)
        _drop_oldest(directory)
    except (OSError, EdgectlError) as e:
        progress(f"the calibration is not kept for next time: {e}")
    return found


def calibration_key(
    graph: QuantGraph,
    scheme: QuantScheme,
    images: Sequence[Tensor],
    config: QuantConfig,
    roles: Sequence[HeadRole] | None,
) -> str:
    """32 hexadecimal digits; equal for equal arguments, in every process."""
    digest = hashlib.blake2b(digest_size=16)

    def add(*values: object) -> None:
        digest.update(repr(values).encode())

    add(_SCHEMA, __version__, torch.__version__, graph.outputs, roles)
    for field in fields(scheme):
        value = getattr(scheme, field.name)
        # the order of a set differs from process to process
        add(field.name, sorted(value) if isinstance(value, frozenset) else value)
    add(sorted(config.model_dump(exclude=set(_NO_MATTER)).items()))
    for node in graph:
        add(
            node.name, node.op, node.inputs, node.shape, sorted(node.attrs.items()), node.activation
        )
        for tensor in (node.weight, node.bias):
            if tensor is not None:
                digest.update(tensor.detach().contiguous().numpy().tobytes())
    for batch in images:
        add(tuple(batch.shape))
        digest.update(batch.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _to_plain(quantized: QuantizedGraph) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "outputs": list(quantized.graph.outputs),
        "nodes": [dict(vars(node)) for node in quantized.graph],
        "weight_scales": dict(quantized.weight_scales),
        "activations": {k: (q.scale, q.zero_point) for k, q in quantized.activations.items()},
    }


def _load(file: Path, scheme: QuantScheme) -> QuantizedGraph | None:
    """None where there is none, or what is there is damaged."""
    try:
        stored = torch.load(file, weights_only=True)
        if stored["schema"] != _SCHEMA:
            return None
        return QuantizedGraph(
            QuantGraph([Node(**node) for node in stored["nodes"]], stored["outputs"]),
            scheme,
            {k: QParams(*q) for k, q in stored["activations"].items()},
            stored["weight_scales"],
        )
    except FileNotFoundError:
        return None
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ):
        return None


def _drop_oldest(directory: Path) -> None:
    kept = sorted(directory.glob("*.pt"), key=lambda p: p.stat().st_mtime, reverse=True)
    for file in kept[_MOST:]:
        file.unlink(missing_ok=True)
