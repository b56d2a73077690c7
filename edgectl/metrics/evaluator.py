"""One evaluation for everything that predicts: trained network, quantized graph, exported file.

A predictor takes the images the device would be fed and returns raw head tensors; the family's
own postprocess turns them into detections; the task's metrics score those. Two numbers are
comparable because nothing but the predictor differs between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from edgectl.data.images.preprocess import normalize
from edgectl.labels import Detections, Targets
from edgectl.plugins.family import Postprocess
from edgectl.spec import OutputSpec, PreprocessSpec

Predictor = Callable[[np.ndarray], list[Tensor]]
"""uint8 (N, H, W, C), resized and padded -> raw float32 heads on the CPU, in OutputSpec order."""


class EvalBatch(Protocol):
    """What an evaluation loader yields."""

    @property
    def images(self) -> np.ndarray:
        """uint8 (N, H, W, C), resized and padded."""
        ...

    @property
    def targets(self) -> Targets:
        """Ground truth in network-input pixels."""
        ...


class Metric(Protocol):
    """An accumulator over batches."""

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """One entry an image in both."""
        ...

    def compute(self) -> dict[str, Any]:
        """Figures over everything seen so far."""
        ...


@dataclass(frozen=True)
class Record:
    """Raw heads of a batch, kept so that several thresholds can be tried on them."""

    outputs: list[Tensor]
    targets: Targets


@dataclass(frozen=True)
class Metrics:
    """What a task is judged by.

    Attributes:
        main: the figure that decides, a key of ``build().compute()``; larger is better.
        build: a fresh accumulator.
        tuned: whether the family's score threshold is chosen on held-back images.
        report: the accumulator of reports, with figures that decide nothing and cost time;
            None where ``build`` has them all.
        added: by name, accumulators that plugins add to reports.
    """

    main: str
    build: Callable[[], Metric]
    tuned: bool = True
    report: Callable[[], Metric] | None = None
    added: Mapping[str, Callable[[], Metric]] = field(default_factory=dict)


def record(predict: Predictor, batches: Iterable[EvalBatch]) -> Iterator[Record]:
    """Runs the predictor over the batches, in order."""
    for batch in batches:
        yield Record(predict(batch.images), batch.targets)


def accumulate(
    records: Iterable[Record],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metric: Metric,
) -> Metric:
    """Postprocess at its present threshold, into the metric, which is returned."""
    for r in records:
        metric.update(postprocess(r.outputs, specs), r.targets)
    return metric


def score(
    records: Iterable[Record],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
) -> dict[str, Any]:
    """The figures that decide."""
    return accumulate(records, postprocess, specs, metrics.build()).compute()


def evaluate(
    predict: Predictor,
    batches: Iterable[EvalBatch],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
) -> dict[str, Any]:
    """The task's figures over all batches, and ``threshold`` where one was applied."""
    return evaluate_metric(predict, batches, postprocess, specs, metrics)[0]


def evaluate_metric(
    predict: Predictor,
    batches: Iterable[EvalBatch],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
) -> tuple[dict[str, Any], Metric]:
    """As :func:`evaluate`, with the accumulator of the report."""
    metric = (metrics.report or metrics.build)()
    added = {name: make() for name, make in metrics.added.items()}
    for r in record(predict, batches):
        found = postprocess(r.outputs, specs)
        for one in (metric, *added.values()):
            one.update(found, r.targets)
    figures = metric.compute()
    for name, one in added.items():
        for key, value in one.compute().items():
            figures.setdefault(name if key == name else f"{name}.{key}", value)
    return ({**figures, "threshold": postprocess.threshold} if metrics.tuned else figures), metric


def _full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Metrics and parity are compared with a CPU's: no mantissas of ten bits in convolutions."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def torch_predictor(model: nn.Module, spec: PreprocessSpec, device: torch.device) -> Predictor:
    """A network in eval mode as a predictor. ``model`` must live on ``device``."""

    def predict(images: np.ndarray) -> list[Tensor]:
        # (N, H, W, C) seen as NCHW is the channels_last layout convolutions are fastest in
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).to(device)
        with torch.no_grad(), _full_precision(device):
            outputs = model(normalize(x, spec))
        return [o.float().cpu() for o in outputs]

    return predict
