"""Judging the averaged weights during training: held-back images decide, *valid* only reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edgectl.metrics.evaluator import evaluate, record, score, torch_predictor
from edgectl.metrics.operating_point import choose_operating_point
from edgectl.spec import OperatingPoint
from edgectl.train.setup import TrainSetup


@dataclass(frozen=True)
class Verdict:
    """``score``: on the held-back images, None without any. ``metrics``: on *valid* at
    ``operating_point``, empty without a validation split."""

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


class Validator:
    """Scores networks of one setup. ``device`` is where they live."""

    def __init__(self, setup: TrainSetup, device: torch.device) -> None:
        self._setup = setup
        self._device = device
        self._specs = setup.outputs

    def __call__(self, model: nn.Module) -> Verdict:
        """``model``: in eval mode."""
        setup, specs, metrics = self._setup, self._specs, self._setup.metrics
        predict = torch_predictor(model, setup.preprocess, self._device)
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
