"""What the engine trains: a network, how it is judged, and what is kept of it.

The engine owns the loop: steps, schedule, averages, validation, events, checkpoints, interruption and
resumption. A trainee owns what differs: float training and quantization-aware training are two of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from edgectl.config.schema import RunConfig, TrainConfig
from edgectl.labels import Targets
from edgectl.runs.rundir import RunDirectory
from edgectl.spec import OperatingPoint
from edgectl.train.distributed.processes import Processes
from edgectl.train.result import FitResult
from edgectl.train.setup import HeldBack, TrainBatches
from edgectl.train.state import Progress


@dataclass(frozen=True)
class Verdict:
    """``score``: on the held-back images, None without any. ``metrics``: on *valid* at
    ``operating_point``, empty where that is not scored during training."""

    score: float | None
    operating_point: OperatingPoint | None
    metrics: dict[str, Any]

    @property
    def scalars(self) -> dict[str, float]:
        """The metrics that are single numbers, for curves and progress lines."""
        return {
            k: float(v)
            for k, v in self.metrics.items()
            if isinstance(v, int | float) and k != "threshold"
        }


@dataclass(frozen=True)
class Snapshot:
    """What the engine knows of the weights a checkpoint is made of.

    Attributes:
        epoch: epochs completed.
        weights: for inference, under the network's own names.
        versions: of the distributions in use.
        verdict: where the epoch was judged.
        training: what a resumed run needs; None in a checkpoint that ships.
    """

    epoch: int
    weights: dict[str, Tensor]
    versions: dict[str, str]
    verdict: Verdict | None = None
    training: dict[str, Any] | None = None


class Savable(Protocol):
    """A checkpoint, whatever its schema."""

    def save(self, path: Path) -> None:
        """Atomically."""


class Resumable(Protocol):
    """A checkpoint to go on from."""

    @property
    def config(self) -> dict[str, Any]:
        """The run's configuration as plain values."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """Fingerprints of the images it was trained on."""
        ...

    @property
    def training(self) -> dict[str, Any] | None:
        """What :func:`edgectl.train.state.capture` kept."""
        ...


@dataclass(frozen=True)
class Start:
    """A fresh network and where its weights came from.

    Attributes:
        note: for people; empty where there is nothing to say.
        provenance: more entries of ``provenance.json``.
        random: names of weights that mean nothing before training.
    """

    network: nn.Module
    note: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    random: Sequence[str] = ()


class Trainee(Protocol):
    """See the module. A trainee may be trained several times; :meth:`start` begins anew each time.

    Attributes:
        command: of the command line that trains it and takes ``--resume``.
        averaged: whether the weights that ship are the moving average.
        remedy: what to change where the loss diverges.
    """

    command: str
    averaged: bool
    remedy: str

    @property
    def config(self) -> RunConfig:
        """Of the run; a resumed run must have the same."""
        ...

    @property
    def settings(self) -> TrainConfig:
        """How long, how fast, on what: read by the engine in place of ``config.train``."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """``name``, ``fingerprint`` {split: hex}, ``images`` {split: count}."""
        ...

    @property
    def train(self) -> TrainBatches:
        """This process's part of every batch."""
        ...

    @property
    def holdout(self) -> HeldBack | None:
        """Images that choose the best epoch; without any the last one is the best."""
        ...

    def start(self, *, resuming: bool) -> Start:
        """A fresh network on the CPU; called when random numbers are seeded. ``resuming``: its weights
        are about to be replaced by a checkpoint's."""
        ...

    def prepare(
        self, network: nn.Module, device: torch.device, precision: str, processes: Processes
    ) -> nn.Module:
        """The network as it is trained there, its parameters the very same; and the criterion."""
        ...

    def build_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Its groups hold their highest learning rates; the engine multiplies them by the schedule."""
        ...

    def forward(self, network: nn.Module, images: Tensor) -> Sequence[Tensor]:
        """images: uint8 (N, C, H, W) on the network's device. Returns raw heads."""
        ...

    def compute_losses(
        self, heads: Sequence[Tensor], images: Tensor, targets: Targets
    ) -> dict[str, Tensor]:
        """Scalars; ``loss`` is what is minimized."""
        ...

    def validate(self, network: nn.Module, device: torch.device) -> Verdict:
        """``network``: in eval mode, on ``device``, with the weights that would ship."""
        ...

    def checkpoint(self, snapshot: Snapshot) -> Savable:
        """What a run's file holds."""
        ...

    def finish(self, run: RunDirectory, progress: Progress) -> FitResult:
        """After the last epoch, in the first process. May be repeated."""
        ...
