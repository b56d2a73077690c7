"""Float training: a family's network under the family's own criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgectl.config.schema import RunConfig, TrainConfig
from edgectl.data.images.preprocess import normalize
from edgectl.labels import Targets
from edgectl.metrics.evaluator import evaluate, record, score, torch_predictor
from edgectl.metrics.operating_point import choose_operating_point
from edgectl.nn.depthwise import widen_depthwise
from edgectl.nn.sync_norm import synchronize_norms
from edgectl.plugins.family import Criterion, build_network
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.rundir import RunDirectory
from edgectl.train.distributed.processes import Processes
from edgectl.train.optimizer import build_optimizer
from edgectl.train.plots import plot_confusion
from edgectl.train.result import FitResult, finish
from edgectl.train.setup import HeldBack, TrainBatches, TrainSetup
from edgectl.train.state import Progress
from edgectl.train.trainee import Snapshot, Start, Verdict
from edgectl.train.weights import describe, load_weights


class FloatTrainee:
    """See :class:`edgectl.train.trainee.Trainee`."""

    command = "train"
    averaged = True
    remedy = "lower the learning rate (--lr), or train in float32 (--set train.precision=fp32)"

    def __init__(self, setup: TrainSetup) -> None:
        self.setup = setup
        self._criterion: Criterion | None = None

    @property
    def config(self) -> RunConfig:
        """The run's."""
        return self.setup.config

    @property
    def settings(self) -> TrainConfig:
        """The ``[train]`` table."""
        return self.setup.config.train

    @property
    def data(self) -> dict[str, Any]:
        """What the checkpoint remembers of the data set."""
        return self.setup.data

    @property
    def train(self) -> TrainBatches:
        """The loader."""
        return self.setup.train

    @property
    def holdout(self) -> HeldBack | None:
        """Of *train*."""
        return self.setup.holdout

    def start(self, *, resuming: bool) -> Start:
        """The family's network, with pretrained weights where the setup names a file."""
        setup = self.setup
        model = build_network(
            setup.family,
            setup.family_name,
            setup.model_config,
            num_classes=len(setup.classes),
            in_chans=setup.preprocess.channels,
        )
        if setup.weights is None or resuming:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            return Start(model, random=["all"])
        loaded = load_weights(setup, model, setup.weights)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Start(
            model,
            describe(setup.weights, loaded),
            {"weights": {"file": str(setup.weights), **loaded}},
            loaded["missing"],
        )

    def prepare(
        self, network: nn.Module, device: torch.device, precision: str, processes: Processes
    ) -> nn.Module:
        """Batch norm over all processes; depthwise kernels that are fast in bfloat16 on a CPU."""
        if processes.is_distributed and self.settings.sync_bn:
            network = synchronize_norms(network, device.type)
        if device.type == "cpu" and precision == "bf16":
            network = widen_depthwise(network)
        setup = self.setup
        self._criterion = setup.family.criterion(setup.model_config, num_classes=len(setup.classes))
        return network

    def build_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """As configured."""
        return build_optimizer(network, self.settings.optimizer)

    def forward(self, network: nn.Module, images: Tensor) -> Sequence[Tensor]:
        """Normalizes and runs."""
        heads: Sequence[Tensor] = network(normalize(images, self.setup.preprocess))
        return heads

    def compute_losses(
        self, heads: Sequence[Tensor], images: Tensor, targets: Targets
    ) -> dict[str, Tensor]:
        """The family's."""
        assert self._criterion is not None  # of prepare()
        # bfloat16 has eight bits of mantissa: enough for convolutions, not for sums of logarithms
        return self._criterion([o.float() for o in heads], targets)

    def validate(self, network: nn.Module, device: torch.device) -> Verdict:
        """Held-back images decide, *valid* only reports."""
        setup, metrics = self.setup, self.setup.metrics
        specs = setup.outputs
        predict = torch_predictor(network, setup.preprocess, device)
        postprocess = setup.family.postprocess(setup.model_config, num_classes=len(setup.classes))
        held_back, point = None, None
        if setup.holdout is not None:
            images = setup.holdout.batches
            if metrics.tuned:
                point = choose_operating_point(
                    predict, images, postprocess, specs, metrics, source=setup.holdout.source
                )
                held_back = point.metric
            else:
                figures = score(record(predict, images), postprocess, specs, metrics)
                held_back = float(figures[metrics.main])
        reported: dict[str, Any] = {}
        if setup.valid is not None:
            reported = evaluate(predict, setup.valid, postprocess, specs, metrics)
        return Verdict(held_back, point, reported)

    def checkpoint(self, snapshot: Snapshot) -> Checkpoint:
        """A checkpoint of the family's network."""
        setup, verdict = self.setup, snapshot.verdict
        return Checkpoint(
            family=setup.family_name,
            variant=setup.config.variant,
            task=setup.task,
            config=setup.config.model_dump(mode="json"),
            classes=tuple(setup.classes),
            preprocess=setup.preprocess,
            outputs=tuple(setup.outputs),
            weights=snapshot.weights,
            epoch=snapshot.epoch,
            data=setup.data,
            versions=snapshot.versions,
            metrics=verdict.metrics if verdict else {},
            operating_point=verdict.operating_point if verdict else None,
            training=snapshot.training,
        )

    def finish(self, run: RunDirectory, progress: Progress) -> FitResult:
        """``metrics.json`` and the confusion matrix."""
        result = finish(run, self.setup, progress)
        plot_confusion(result.metrics, run.plots)
        return result
