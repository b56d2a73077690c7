"""What a training run is made of, put together by the caller and fixed before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from edgectl.config.schema import RunConfig
from edgectl.labels import Targets
from edgectl.metrics.evaluator import EvalBatch, Metrics
from edgectl.plugins.family import Family
from edgectl.spec import OutputSpec, PreprocessSpec


class TrainBatch(Protocol):
    """What a training loader yields."""

    @property
    def images(self) -> Tensor:
        """uint8 (N, C, H, W), augmented, channels in the spec's order."""
        ...

    @property
    def targets(self) -> Targets:
        """Ground truth in network-input pixels."""
        ...


class TrainBatches(Protocol):
    """Batches as a pure function of the epoch: a resumed run sees what it would have seen."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch."""
        ...

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[TrainBatch]:
        """``epoch`` counts from 0."""
        ...


@dataclass(frozen=True)
class HeldBack:
    """Images of *train* that are not trained on: they choose ``best`` and the operating point."""

    batches: Iterable[EvalBatch]
    images: int
    objects: int

    @property
    def source(self) -> str:
        """For ``OperatingPoint.source``."""
        return f"train-holdout ({self.images} images)"


@dataclass(frozen=True)
class TrainSetup:
    """Attributes:
    family_name, family: as registered, and as imported.
    task: name of what the family does.
    config: resolved; ``config.model`` is the family's own table.
    model_config: that table validated by ``family.config_type``.
    preprocess: stored in the checkpoint.
    data: ``name``, ``fingerprint`` {split: hex}, ``images`` {split: count}.
    train, holdout, valid: the loaders. Each can be iterated again and again.
    metrics: what the task is judged by.
    weights: pretrained weights to start from.
    """

    family_name: str
    family: Family
    task: str
    config: RunConfig
    model_config: Any
    classes: tuple[str, ...]
    preprocess: PreprocessSpec
    data: dict[str, Any]
    train: TrainBatches
    holdout: HeldBack | None
    valid: Iterable[EvalBatch] | None
    metrics: Metrics
    weights: Path | None = None

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """The raw heads, in order."""
        return self.family.outputs(self.model_config, num_classes=len(self.classes))
