"""Quantization-aware training as a trainee: the fake-quantized graph stands in for the network.

Under the family's own criterion, and the float network's heads where they are asked for. It trains in
float32, whose rounding the integers are made of, and keeps no average: the average of two integer networks
is none. Batch norm is folded already, so there are no statistics to freeze.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgectl.backends.contract import Backend
from edgectl.config.schema import RunConfig, TrainConfig
from edgectl.data.index import DatasetIndex
from edgectl.export.parity import raw_heads
from edgectl.export.request import ExportRequest
from edgectl.export.stages import Prepared
from edgectl.files import sha256_of
from edgectl.labels import Targets
from edgectl.metrics.evaluator import record, score
from edgectl.metrics.operating_point import choose_operating_point
from edgectl.plugins.family import Criterion
from edgectl.qat.checkpoint import QuantizedCheckpoint, store_graph
from edgectl.qat.distill import head_distance
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.runs.rundir import RunDirectory
from edgectl.runs.trained import nchw
from edgectl.tasks.lookup import load_task, task_metrics
from edgectl.train.distributed.processes import Processes
from edgectl.train.result import FitResult, measure_run
from edgectl.train.setup import HeldBack, TrainBatches
from edgectl.train.state import Progress
from edgectl.train.trainee import Snapshot, Start, Verdict

_BATCH = 16
_CLIP_NORM = 10.0


class QatTrainee:
    """See :class:`edgectl.train.trainee.Trainee`.

    Args:
        request: what to export afterwards; its ``index`` has the images.
        prepared: the float graph, which is the teacher.
        quantized: where the training begins.
        origin: the float model's path, as the user would name it.
        processes: those that train together.
    """

    command = "qat"
    averaged = False

    def __init__(
        self,
        request: ExportRequest[Backend],
        prepared: Prepared,
        quantized: QuantizedGraph,
        origin: str,
        processes: Processes = Processes(),
    ) -> None:
        assert request.index is not None
        self._request, self._prepared, self._quantized = request, prepared, quantized
        self._origin = {"path": origin, "sha256": sha256_of(request.source.path)}
        self._stored = store_graph(quantized)
        self._heads = raw_heads(prepared.graph, prepared.outputs)
        self._settings = derive_settings(request.source.config)
        self.remedy = f"lower the learning rate: --set qat.lr={self._settings.optimizer.lr / 4:g}"
        self._data = _describe_data(request.source.config, request.index)
        self._train, self._holdout = _open_loaders(request, processes)
        self._metrics = task_metrics(
            request.task,
            request.source.classes,
            prepared.outputs,
            request.source.preprocess.input_size,
        )
        self._criterion: Criterion | None = None
        self._teacher: QuantGraph | None = None

    @property
    def checksum(self) -> str:
        """sha256 of the float checkpoint."""
        return self._origin["sha256"]

    @property
    def config(self) -> RunConfig:
        """The float run's, with what was set for this one."""
        return self._request.source.config

    @property
    def settings(self) -> TrainConfig:
        """Of :func:`derive_settings`."""
        return self._settings

    @property
    def data(self) -> dict[str, Any]:
        """The images it is trained on."""
        return self._data

    @property
    def train(self) -> TrainBatches:
        """Without what the float run held back."""
        return self._train

    @property
    def holdout(self) -> HeldBack | None:
        """What the float run held back."""
        return self._holdout

    def start(self, *, resuming: bool) -> Start:
        """The calibrated graph as a trainable module."""
        network = FakeQuantNet(self._quantized, outputs=self._heads)
        return Start(network, provenance={"from": self._origin["path"]})

    def prepare(
        self, network: nn.Module, device: torch.device, precision: str, processes: Processes
    ) -> nn.Module:
        """The network as it is; brings the teacher to the device."""
        self._criterion = self._request.source.require_trained().criterion()
        self._teacher = None
        if self.config.qat.teacher_weight:
            nodes = [copy.copy(n) for n in self._prepared.graph]
            for node in nodes:
                node.weight = None if node.weight is None else node.weight.to(device)
                node.bias = None if node.bias is None else node.bias.to(device)
            self._teacher = QuantGraph(nodes, self._heads)
        return network

    def build_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam; ranges have a learning rate of their own."""
        assert isinstance(network, FakeQuantNet)
        qat = self.config.qat
        groups = network.parameter_groups(lr=qat.lr, range_lr=qat.range_lr)
        return torch.optim.Adam(groups)

    def forward(self, network: nn.Module, images: Tensor) -> Sequence[Tensor]:
        """Lowers as the device does, and runs in its arithmetic."""
        heads: Sequence[Tensor] = network(self._prepared.lower(images))
        return heads

    def compute_losses(
        self, heads: Sequence[Tensor], images: Tensor, targets: Targets
    ) -> dict[str, Tensor]:
        """``loss``; with a teacher also its two parts before weighting, ``task`` and ``teacher``."""
        assert self._criterion is not None  # of prepare()
        qat = self.config.qat
        task = self._criterion(heads, targets)["loss"]
        loss = qat.task_weight * task
        if self._teacher is None:
            return {"loss": loss}
        with torch.no_grad():
            wanted = self._teacher.run(self._prepared.lower(images))
        distance = head_distance(heads, wanted, self._prepared.outputs)
        loss = loss + qat.teacher_weight * distance
        return {"loss": loss, "task": task.detach(), "teacher": distance.detach()}

    def validate(self, network: nn.Module, device: torch.device) -> Verdict:
        """On the held-back images, from the operating point the float run chose: training moves scores.
        *valid* is left to the file that ships."""
        if self._holdout is None:
            return Verdict(None, None, {})
        assert isinstance(network, FakeQuantNet)
        applied = copy.copy(network)  # the same parameters, with the outputs the file has
        applied.outputs = self._prepared.graph.outputs

        def predict(images: np.ndarray) -> list[Tensor]:
            x = self._prepared.lower(nchw(images).to(device))
            with torch.no_grad():
                return [y.cpu() for y in applied(x)]

        batches, specs, metrics = self._holdout.batches, self._prepared.outputs, self._metrics
        postprocess = self._request.source.postprocess()
        if not metrics.tuned:
            figures = score(record(predict, batches), postprocess, specs, metrics)
            return Verdict(float(figures[metrics.main]), None, {})
        point = choose_operating_point(
            predict, batches, postprocess, specs, metrics, source=self._holdout.source
        )
        return Verdict(point.metric, point, {})

    def checkpoint(self, snapshot: Snapshot) -> QuantizedCheckpoint:
        """Integers to be, and the graph they belong to."""
        request, verdict = self._request, snapshot.verdict
        return QuantizedCheckpoint(
            config=request.source.config.model_dump(mode="json"),
            backend=request.info.name,
            model=self._origin,
            calibration={} if request.calibration is None else request.calibration.to_dict(),
            start=self._stored,
            weights={k: v.cpu() for k, v in snapshot.weights.items()},
            epoch=snapshot.epoch,
            data=self._data,
            versions=snapshot.versions,
            operating_point=verdict.operating_point if verdict else None,
            training=snapshot.training,
        )

    def finish(self, run: RunDirectory, progress: Progress) -> FitResult:
        """Metrics are the file's, which is yet to be written."""
        return measure_run(run, progress, {})


def derive_settings(config: RunConfig) -> TrainConfig:
    """The engine's settings of a QAT run: those of ``[train]`` that name a machine, and ``[qat]``.

    Every epoch is judged: a few epochs at a low learning rate are all there are.
    """
    optimizer = config.train.optimizer.model_copy(
        update={"lr": config.qat.lr, "clip_norm": _CLIP_NORM}
    )
    return config.train.model_copy(
        update={
            "epochs": config.qat.epochs,
            "batch": config.qat.batch,
            "optimizer": optimizer,
            "precision": "fp32",
            "eval_interval": 1,
            "early_stop": 0,
        }
    )


def _describe_data(config: RunConfig, index: DatasetIndex) -> dict[str, Any]:
    names = [n for n in (config.data.train_split, config.data.valid_split) if index.splits.get(n)]
    return {
        "name": config.data.name,
        "fingerprint": {n: index.fingerprint(n) for n in names},
        "images": {n: len(index.splits[n]) for n in names},
    }


def _open_loaders(
    request: ExportRequest[Backend], processes: Processes
) -> tuple[TrainBatches, HeldBack | None]:
    """*train* as the float run divided it."""
    source, config = request.source, request.source.config
    assert request.index is not None
    kept, held = source.require_trained().divided(request.index.splits[config.data.train_split])
    # the last polish wants images like those the device will see
    calm = config.model_copy(
        update={
            "augment": config.augment.model_copy(
                update={"mosaic": config.qat.mosaic, "window": (1.0, 1.0), "repeats": 1}
            ),
            "classify": config.classify.model_copy(
                update={"randaugment": 0, "mixup": 0.0, "cutmix": 0.0}
            ),
        }
    )
    task = load_task(request.task)
    batches = task.train_batches(
        tuple(kept),
        source.preprocess,
        calm,
        num_classes=len(source.classes),
        batch=processes.part_of(config.qat.batch),
        shard=processes.shard,
    )
    if not held:
        return batches, None
    objects = sum(len(s.class_labels()) for s in held)
    images = task.eval_batches(held, source.preprocess, batch=_BATCH)
    return batches, HeldBack(images, len(held), objects)
