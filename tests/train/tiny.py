"""A family that trains in milliseconds, on images drawn in memory.

One bright square an image (label 0) on a dark ground, or none; the network marks its cell.
Run as a program it trains into the directory named by the first argument, for the crash tests.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.config.schema import RunConfig, StrictModel
from edgectl.labels import Detections, Targets
from edgectl.metrics.evaluator import Metrics
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.rundir import RunDirectory, create_run
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.train.float_trainee import FloatTrainee
from edgectl.train.loop import Trainer
from edgectl.train.progress import EpochReport, Reporter
from edgectl.train.setup import HeldBack, TrainSetup

SIZE, STRIDE = 16, 4


class TinyConfig(StrictModel):
    width: int = 8
    explode: bool = False


class TinyNet(nn.Module):
    """Dropout makes the random state matter; batch norm makes the buffers matter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.05)
        self.head = nn.Conv2d(width, 1, 3, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.head(self.drop(F.relu(self.norm(self.stem(x))))),)


class TinyCriterion:
    def __init__(self, explode: bool) -> None:
        self.explode = explode
        self.calls = 0

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        loss = F.binary_cross_entropy_with_logits(outputs[0], cells(targets)[:, None])
        self.calls += 1
        if self.explode and self.calls == 10:
            loss = loss * float("nan")
        return {"loss": loss, "bce": loss.detach()}


class TinyPostprocess:
    threshold = 0.5

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        found = []
        for scores in outputs[0].sigmoid()[:, 0]:
            rc = (scores >= self.threshold).nonzero().float()
            center = rc.flip(1) * STRIDE + STRIDE / 2
            boxes = torch.cat([center - 2, center + 2], dim=1)
            labels = torch.zeros(len(rc), dtype=torch.int64)
            found.append(Detections(boxes, scores[scores >= self.threshold], labels))
        return found


class TinyMetric:
    """F1 over cells."""

    def __init__(self) -> None:
        self.tp = self.fp = self.fn = 0

    def update(self, detections: list[Detections], targets: Targets) -> None:
        truth = cells(targets)
        guess = cells(Targets([d.boxes_xyxy for d in detections], [d.labels for d in detections]))
        self.tp += int((truth * guess).sum())
        self.fp += int(((1 - truth) * guess).sum())
        self.fn += int((truth * (1 - guess)).sum())

    def compute(self) -> dict[str, Any]:
        return {"f1": 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)}


class TinyFamily:
    config_type = TinyConfig

    def presets(self, variant: str) -> dict[str, Any]:
        return {}

    def build(self, config: Any, *, num_classes: int) -> nn.Module:
        return TinyNet(config.width)

    def preprocess(self, config: Any, input_size: tuple[int, int]) -> PreprocessSpec:
        return PreprocessSpec(input_size=input_size)

    def outputs(self, config: Any, *, num_classes: int) -> tuple[OutputSpec, ...]:
        return (OutputSpec("cells", "cell_logits", STRIDE, 1, "sigmoid"),)

    def criterion(self, config: Any, *, num_classes: int) -> TinyCriterion:
        return TinyCriterion(config.explode)

    def postprocess(self, config: Any, *, num_classes: int) -> TinyPostprocess:
        return TinyPostprocess()

    def load_weights(self, model: nn.Module, config: Any, path: Path) -> dict[str, Any]:
        raise NotImplementedError


def cells(targets: Targets) -> Tensor:
    """(N, 4, 4) float: 1 where a box has its center."""
    grid = torch.zeros(len(targets.boxes_xyxy), SIZE // STRIDE, SIZE // STRIDE)
    for i, boxes in enumerate(targets.boxes_xyxy):
        x = ((boxes[:, 0] + boxes[:, 2]) / 2 / STRIDE).long()
        y = ((boxes[:, 1] + boxes[:, 3]) / 2 / STRIDE).long()
        grid[i, y, x] = 1.0
    return grid


@dataclass
class Batch:
    images: Any
    targets: Targets


def draw(count: int, key: Sequence[int]) -> Batch:
    """uint8 (count, H, W, 3) and targets; every fifth image is empty."""
    rng = np.random.default_rng(list(key))
    images = rng.integers(0, 90, (count, SIZE, SIZE, 3), dtype=np.uint8)
    boxes, labels = [], []
    for i, image in enumerate(images):
        x, y = STRIDE * rng.integers(0, SIZE // STRIDE, 2)
        empty = i % 5 == 4
        if not empty:
            image[y : y + 4, x : x + 4] = rng.integers(150, 255)
        box = torch.tensor([[x, y, x + 4, y + 4]], dtype=torch.float32)
        boxes.append(box[:0] if empty else box)
        labels.append(torch.zeros(len(boxes[-1]), dtype=torch.int64))
    return Batch(images, Targets(boxes, labels))


class TinyTrain:
    steps_per_epoch = 8

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[Batch]:
        for step in range(self.steps_per_epoch):
            batch = draw(16, (1, epoch, step))
            yield Batch(torch.from_numpy(batch.images).permute(0, 3, 1, 2), batch.targets)


def make_setup(*, holdout: bool = True, explode: bool = False, **train: Any) -> TrainSetup:
    config = RunConfig.model_validate(
        {
            "family": "tiny",
            "variant": "tiny",
            "model": {"explode": explode},
            "train": {
                "epochs": 6,
                "device": "cpu",
                "threads": 1,
                "tensorboard": False,
                "optimizer": {"lr": 0.05},
                **train,
            },
        }
    )
    family = TinyFamily()
    model_config = family.config_type.model_validate(config.model)
    return TrainSetup(
        family_name="tiny",
        family=family,
        task="centroid",
        config=config,
        model_config=model_config,
        classes=("square",),
        preprocess=family.preprocess(model_config, (SIZE, SIZE)),
        data={"name": "drawn", "fingerprint": {"train": "0" * 16}, "images": {"train": 32}},
        train=TinyTrain(),
        holdout=HeldBack([draw(20, (2, i)) for i in range(2)], 40, 32) if holdout else None,
        valid=[draw(20, (3, i)) for i in range(2)],
        metrics=Metrics("f1", TinyMetric),
    )


class SlowReporter(Reporter):
    """Leaves the parent process time to kill this one in the middle of an epoch."""

    def on_step(self, step: int) -> None:
        time.sleep(0.02)

    def on_epoch(self, report: EpochReport) -> None:
        sys.stdout.write(f"{report.epoch}\n")
        sys.stdout.flush()


def main() -> None:
    root = Path(sys.argv[1])
    run = RunDirectory(root / "train" / "tiny-001")
    if run.path.exists():
        Trainer(FloatTrainee(make_setup())).fit(run, Checkpoint.load(run.last))
    else:
        Trainer(FloatTrainee(make_setup()), SlowReporter()).fit(create_run("tiny", root=root))


if __name__ == "__main__":
    main()
