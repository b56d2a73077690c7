"""Quantization-aware training: the quantized graph stands in for the model under the family's own criterion.

Starts from the PTQ result, trains weights and activation ranges in the backend's arithmetic, and exports
the very scales that were learned. Batch norm is folded already, so there are no statistics to freeze.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.backends.contract import Backend
from edgectl.errors import EdgectlError, GateFailedError, UsageError
from edgectl.export.parity import raw_heads
from edgectl.export.request import ExportRequest
from edgectl.export.stages import Prepared, calibrated, export_model, prepare
from edgectl.files import MANIFEST
from edgectl.labels import Sample
from edgectl.metrics.evaluator import Metrics
from edgectl.metrics.operating_point import choose_operating_point
from edgectl.qat.distill import head_distance
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import simulate
from edgectl.runs.trained import TrainedModel, nchw
from edgectl.spec import OperatingPoint, Progress
from edgectl.tasks.lookup import load_task, task_metrics
from edgectl.train.schedule import learning_rate_factor

_BATCH = 16


@dataclass(frozen=True)
class QatEpoch:
    """What one epoch did; ``loss`` is its mean training loss."""

    epoch: int
    epochs: int
    loss: float
    lr: float
    images_per_second: float


@dataclass(frozen=True)
class QatResult:
    """The exported artifact and how it came about. ``failure``: the drop was over the limit."""

    artifact: Artifact
    quantized: QuantizedGraph
    operating_point: OperatingPoint | None
    epochs: list[QatEpoch]
    seconds: float
    failure: GateFailedError | None = None


def run_qat(
    request: ExportRequest[Backend],
    *,
    on_epoch: Callable[[QatEpoch], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> QatResult:
    """Calibrates, trains ``config.qat.epochs`` epochs on *train* (less the run's hold-out), and exports.

    Raises:
        UsageError: the backend cannot be trained for, there is no data set, or another share of *train* is
            to be held back than the run did.
        EdgectlError: the loss is not finite.
        GateFailedError: runtimes that must agree do not. (A drop over the limit is in the result.)
    """
    if not request.info.qat:
        raise UsageError(
            f"{request.info.name} quantizes with its vendor's tool; QAT is not possible here",
            fix="edgectl export --backend " + request.info.name,
        )
    if request.index is None:
        raise UsageError("QAT needs the training images", fix="--set data.name=DATA")
    start = time.perf_counter()
    trained, config = request.trained, request.trained.config
    prepared = prepare(trained, request.backend, request.info, request.backend_config)
    progress("calibrating")
    quantized = calibrated(prepared, request, progress)
    kept, held = trained.divided(request.index.splits[config.data.train_split])
    heads = raw_heads(prepared.graph, prepared.outputs)
    net = FakeQuantNet(quantized, outputs=heads)
    epochs = _train(request.task, net, trained, prepared, kept, on_epoch)
    quantized = net.export()
    point = trained.checkpoint.operating_point
    metrics = task_metrics(
        request.task, trained.classes, prepared.outputs, trained.preprocess.input_size
    )
    if held and metrics.tuned:
        progress("choosing the operating point")
        point = _operating_point(request.task, metrics, trained, quantized, prepared, held)
    failure = None
    try:
        artifact = export_model(
            replace(request, stage="qat", operating_point=point),
            quantized=quantized,
            progress=progress,
        )
    except GateFailedError as e:
        # a file that lost too much is still there, and worth a look; one that failed parity is not
        if not (request.out / MANIFEST).is_file():
            raise
        artifact, failure = open_artifact(request.out), e
    seconds = time.perf_counter() - start
    return QatResult(artifact, quantized, point, epochs, seconds, failure)


def _train(
    task: str,
    net: FakeQuantNet,
    trained: TrainedModel,
    prepared: Prepared,
    samples: Iterable[Sample],
    on_epoch: Callable[[QatEpoch], None],
) -> list[QatEpoch]:
    config = trained.config
    qat = config.qat
    torch.manual_seed(config.train.seed)
    # the last polish wants images like those the device will see
    calm = config.model_copy(
        update={
            "augment": config.augment.model_copy(
                update={"mosaic": qat.mosaic, "window": (1.0, 1.0), "repeats": 1}
            ),
            "classify": config.classify.model_copy(
                update={"randaugment": 0, "mixup": 0.0, "cutmix": 0.0}
            ),
        }
    )
    loader = load_task(task).train_batches(
        tuple(samples),
        trained.preprocess,
        calm,
        num_classes=len(trained.classes),
        batch=qat.batch,
    )
    criterion = trained.criterion()
    optimizer = torch.optim.Adam(net.parameter_groups(lr=qat.lr, range_lr=qat.range_lr))
    base = [float(g["lr"]) for g in optimizer.param_groups]
    total = qat.epochs * loader.steps_per_epoch
    done: list[QatEpoch] = []
    step = 0
    net.train()
    for epoch in range(qat.epochs):
        began, losses, seen = time.perf_counter(), [], 0
        for batch in loader.epoch(epoch, total_epochs=qat.epochs):
            factor = learning_rate_factor(config.train.schedule, step, total)
            for group, lr in zip(optimizer.param_groups, base, strict=True):
                group["lr"] = lr * factor
            x = prepared.lower(batch.images)
            heads = net(x)
            loss = qat.task_weight * criterion(heads, batch.targets)["loss"]
            if qat.teacher_weight:
                distance = head_distance(heads, _teacher(prepared, x), prepared.outputs)
                loss = loss + qat.teacher_weight * distance
            if not torch.isfinite(loss):
                raise EdgectlError(
                    f"the loss is {float(loss)} in QAT epoch {epoch + 1}",
                    fix=f"lower the learning rate: --set qat.lr={qat.lr / 4:g}",
                )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            seen += len(batch.images)
            step += 1
        rate = seen / (time.perf_counter() - began)
        done.append(QatEpoch(epoch + 1, qat.epochs, float(np.mean(losses)), base[0] * factor, rate))
        on_epoch(done[-1])
    net.eval()
    return done


def _teacher(prepared: Prepared, x: Tensor) -> list[Tensor]:
    """Raw heads of the float network."""
    with torch.no_grad():
        graph = prepared.graph
        heads = raw_heads(graph, prepared.outputs)
        return QuantGraph(list(graph), heads).run(x)


def _operating_point(
    task: str,
    metrics: Metrics,
    trained: TrainedModel,
    quantized: QuantizedGraph,
    prepared: Prepared,
    held: tuple[Sample, ...],
) -> OperatingPoint:
    """Chosen anew, on the same held-back part of *train*: training has moved the scores."""

    def predict(images: np.ndarray) -> list[Tensor]:
        return simulate(quantized, prepared.lower(nchw(images)))

    return choose_operating_point(
        predict,
        load_task(task).eval_batches(held, trained.preprocess, batch=_BATCH),
        trained.postprocess(),
        prepared.outputs,
        metrics,
        source=f"train-holdout ({len(held)} images)",
    )


def state_of(quantized: QuantizedGraph) -> dict[str, Any]:
    """Tensors and numbers only: what ``checkpoints/last.pt`` of a QAT run holds."""
    weighted = [n for n in quantized.graph if n.weight is not None]
    return {
        "schema": "edgectl-quantized/1",
        "weights": {n.name: n.weight for n in weighted},
        "biases": {n.name: n.bias for n in weighted},
        "weight_scales": dict(quantized.weight_scales),
        "activations": {k: (p.scale, p.zero_point) for k, p in quantized.activations.items()},
    }
