"""From a network that was read - graph, heads, tail - to a :class:`Source`: classes, kinds, preparation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgectl.config.schema import RunConfig
from edgectl.data.images.preprocess import normalize
from edgectl.data.select.calibration import CalibrationSet
from edgectl.errors import UnsupportedOpError, UsageError
from edgectl.metrics.evaluator import Predictor
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.runs.trained import nchw
from edgectl.sources.metadata import Metadata
from edgectl.sources.options import Statement
from edgectl.sources.preparation import (
    Run,
    prepare_as_stated,
    rank_preparations,
    require_stated,
    usual_preparations,
)
from edgectl.sources.source import Source
from edgectl.sources.tail import Tail
from edgectl.spec import TENSORS, OutputSpec, PreprocessSpec, Size, require_distinct_outputs
from edgectl.tasks.decoders import HeadTensor, decoder_info, load_decoder

NETWORK = "network"
"""Instead of a family's name."""
_TRIED = 8
"""Images the usual preparations are tried on."""


@dataclass(frozen=True)
class ReadNetwork:
    """What a way in found.

    Attributes:
        path: whose sha256 stands for the network. name: of it, for people.
        heads: names of the graph's outputs, in order, as the network's maker calls them.
        run: normalized images (N, 3, H, W) to the raw heads: what is believed.
    """

    path: Path
    name: str
    graph: QuantGraph
    heads: tuple[str, ...]
    model: nn.Module
    run: Run
    tail: Tail | None
    metadata: Metadata

    @property
    def input_size(self) -> Size:
        """(height, width)."""
        return self.graph.input.shape[2], self.graph.input.shape[3]


def make_source(
    network: ReadNetwork,
    said: Statement,
    config: RunConfig,
    *,
    data_classes: Sequence[str] = (),
    images: CalibrationSet | None = None,
) -> Source:
    """Puts together what was read and what was said.

    Args:
        data_classes: of the labelled set, where one is given.
        images: on which usual preparations are tried where nobody stated one.

    Raises:
        UsageError: heads the decode rule does not read, classes of another number, a preparation
            nobody stated.
        UnsupportedOpError: it takes no image in color or gray.
    """
    channels = network.graph.input.shape[1]
    if channels not in (1, 3):
        raise UnsupportedOpError(
            f"takes {channels} channels",
            where=str(network.path),
            fix="a network of three, red, green and blue, or of one, gray",
        )
    tensors = [
        HeadTensor(name, network.graph[node].shape)
        for name, node in zip(network.heads, network.graph.outputs, strict=True)
    ]
    outputs, classes = _read_heads(network, tensors, said, tuple(data_classes))
    task = decoder_info(said.decode).task if said.decode else TENSORS
    boxes = task not in (TENSORS, "classification")
    spec, stated = prepare_as_stated(
        said, network.metadata.preprocess, network.input_size, boxes=boxes, channels=channels
    )
    ranking = None if images is None else _ranking(network, spec, images)
    require_stated(stated, ranking, str(network.path))
    return Source(
        path=network.path,
        family=NETWORK,
        variant=network.name,
        task=task,
        config=config,
        preprocess=spec,
        outputs=outputs,
        classes=classes,
        model=network.model,
        graph=network.graph,
        reference=_predictor(network.run, spec),
        decode=said.decode or None,
        tail=network.tail,
        cut_at=said.outputs,
    )


def _read_heads(
    network: ReadNetwork,
    tensors: Sequence[HeadTensor],
    said: Statement,
    data_classes: tuple[str, ...],
) -> tuple[tuple[OutputSpec, ...], tuple[str, ...]]:
    if not said.decode:
        ranks = len(tensors) == 1 and not tensors[0].stride(network.input_size)
        count = tensors[0].channels if ranks else 1
        return name_tensors(tensors), _name_classes(
            network, said, data_classes, count, strict=False
        )
    decoder = load_decoder(said.decode)
    count = decoder.count_classes(tensors, network.input_size)
    classes = _name_classes(network, said, data_classes, count, strict=True)
    return decoder.specify(tensors, count, network.input_size), classes


def name_tensors(tensors: Sequence[HeadTensor]) -> tuple[OutputSpec, ...]:
    """Specs of heads nobody explained."""
    taken: set[str] = set()
    specs = []
    for tensor in tensors:
        base = re.sub(r"\W+", "_", tensor.name).strip("_") or "output"
        name = next(
            n
            for n in itertools.chain([base], (f"{base}_{k}" for k in itertools.count(2)))
            if n not in taken
        )
        taken.add(name)
        specs.append(OutputSpec(name, "tensor", 0, tensor.channels))
    return require_distinct_outputs(specs)


def _name_classes(
    network: ReadNetwork, said: Statement, data: tuple[str, ...], count: int, *, strict: bool
) -> tuple[str, ...]:
    if strict and said.classes and len(said.classes) != count:
        raise UsageError(
            f"{len(said.classes)} names for {count} classes",
            where="--classes",
            fix="a name a class",
        )
    for names in (said.classes, network.metadata.classes, data):
        if len(names) == count:
            return tuple(names)
    return tuple(str(i) for i in range(count))


def _ranking(
    network: ReadNetwork, spec: PreprocessSpec, images: CalibrationSet
) -> Callable[[], list[tuple[float, PreprocessSpec]]]:
    few = CalibrationSet(images.files[:_TRIED], images.sha256, images.seed, images.source)

    def own_outputs(x: Tensor) -> list[Tensor]:
        heads = network.run(x)
        return heads if network.tail is None else network.tail.run(heads)

    def pixels(candidate: PreprocessSpec) -> np.ndarray:
        return next(few.images(candidate, _TRIED))

    return lambda: rank_preparations(usual_preparations(spec), own_outputs, pixels)


def _predictor(run: Run, spec: PreprocessSpec) -> Predictor:
    def predict(images: np.ndarray) -> list[Tensor]:
        with torch.no_grad():
            return run(normalize(nchw(images), spec))

    return predict
