"""A network that can be exported, scored and run, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgectl.config.schema import RunConfig
from edgectl.errors import UsageError
from edgectl.files import sha256_of
from edgectl.metrics.evaluator import Predictor
from edgectl.plugins.family import Postprocess
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.runs.trained import TrainedModel
from edgectl.sources.tail import Tail
from edgectl.spec import TENSORS, OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.tasks.decoders import build_postprocess


@dataclass(frozen=True)
class Source:
    """What every stage after training starts from.

    Attributes:
        path: the file the numbers are in; artifacts note its sha256.
        family, variant: of a family; ``network`` and a name for a network that is no family's.
        task: ``tensors`` where nobody said how its outputs are read.
        preprocess: how images are prepared for it.
        outputs: its raw heads, in order.
        classes: names in label order.
        model: the float network in eval mode, on the CPU: images to raw heads.
        graph: as it was read, where it was not traced.
        reference: predicts its raw heads where ``model`` is not what is to be believed.
        decode: the decode rule that makes results of its heads; None for a family's own.
        tail: from its heads to its own outputs, where they are something else.
        cut_at: names of the heads where they were named.
        trained: a family's checkpoint.
    """

    path: Path
    family: str
    variant: str
    task: str
    config: RunConfig
    preprocess: PreprocessSpec
    outputs: tuple[OutputSpec, ...]
    classes: tuple[str, ...]
    model: nn.Module
    graph: QuantGraph | None = None
    reference: Predictor | None = None
    decode: str | None = None
    tail: Tail | None = None
    cut_at: tuple[str, ...] = ()
    trained: TrainedModel | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def decoded(self) -> bool:
        """Whether its heads can be read as results."""
        return self.task != TENSORS

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        return sha256_of(self.path)

    @property
    def network_config(self) -> dict[str, Any]:
        """The family's ``[model]`` table; empty for a network that is no family's."""
        return self.config.model

    @property
    def operating_point(self) -> OperatingPoint | None:
        """The threshold a family's checkpoint ships with."""
        return None if self.trained is None else self.trained.checkpoint.operating_point

    @property
    def epoch(self) -> int | None:
        """Epochs a family's checkpoint was trained."""
        return None if self.trained is None else self.trained.checkpoint.epoch

    @property
    def data(self) -> dict[str, Any]:
        """What a family's checkpoint remembers of the set it was trained on."""
        return {} if self.trained is None else self.trained.checkpoint.data

    def trace(self) -> QuantGraph:
        """Its float graph. Raises UnsupportedOpError, ArtifactError."""
        if self.graph is not None:
            return self.graph
        return trace(self.model, self.preprocess.input_size, self.preprocess.channels)

    def predictor(self) -> Predictor:
        """The float network on images as ``preprocess`` prepares them."""
        if self.reference is not None:
            return self.reference
        assert self.trained is not None
        return self.trained.predictor()

    def postprocess(self, threshold: float | None = None) -> Postprocess:
        """Heads to results. Raises UsageError where nobody said how they are read."""
        if self.trained is not None:
            return self.trained.postprocess(threshold)
        return build_postprocess(self.decode, self.outputs, threshold)

    def finish(self, heads: list[Tensor]) -> list[Tensor]:
        """The network's own outputs from its raw heads."""
        return heads if self.tail is None else self.tail.run(heads)

    def require_trained(self) -> TrainedModel:
        """For what only a family's checkpoint has: a loss, a configuration. Raises UsageError."""
        if self.trained is None:
            raise UsageError(
                "a network that is not a family's has no loss to train by",
                where=str(self.path),
                fix="edgectl export, or train one of 'edgectl models'",
            )
        return self.trained

    def on(self, device: str) -> Source:
        """The same, its float network on another device."""
        return (
            self
            if self.trained is None
            else from_trained(replace(self.trained, device=device), self.task)
        )

    def configured(self, config: RunConfig) -> Source:
        """The same with another configuration."""
        if self.trained is None:
            return replace(self, config=config)
        return from_trained(replace(self.trained, config=config), self.task)


def from_trained(trained: TrainedModel, task: str) -> Source:
    """A family's checkpoint."""
    checkpoint = trained.checkpoint
    return Source(
        path=trained.path,
        family=checkpoint.family,
        variant=checkpoint.variant,
        task=task,
        config=trained.config,
        preprocess=trained.preprocess,
        outputs=trained.outputs,
        classes=tuple(trained.classes),
        model=trained.model,
        trained=trained,
        versions=checkpoint.versions,
    )
