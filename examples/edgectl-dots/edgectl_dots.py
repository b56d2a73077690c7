"""A model family in one file: the network, its loss, and how its output is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.config.schema import Positive, StrictModel
from edgectl.labels import Detections, Targets
from edgectl.nn.blocks import ConvNormAct, SeparableConv
from edgectl.nn.state import load_by_key, read_state
from edgectl.spec import OutputSpec, PreprocessSpec, Size

STRIDE = 8


class DotsConfig(StrictModel):
    """The ``[model]`` table."""

    width: Positive = 16
    object_weight: Positive = 20
    """How much more a cell with an object counts than one without."""


class Dots(nn.Module):
    """(N, in_chans, H, W) to one tensor of cell logits, (N, 1 + classes, H/8, W/8); channel 0: nothing."""

    def __init__(self, width: int, num_classes: int, in_chans: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNormAct(in_chans, width, 3, stride=2, act_layer="relu6"),
            SeparableConv(width, 2 * width, 3, stride=2, act_layer="relu6"),
            SeparableConv(2 * width, 4 * width, 3, stride=2, act_layer="relu6"),
            SeparableConv(4 * width, 4 * width, 3, act_layer="relu6"),
            nn.Conv2d(4 * width, 1 + num_classes, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Raw logits."""
        return (self.layers(x),)


class DotsCriterion(nn.Module):
    """Cross-entropy over the channels of each cell."""

    def __init__(self, object_weight: float) -> None:
        super().__init__()
        self.object_weight = object_weight

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """``{"loss": scalar}``."""
        (logits,) = outputs
        wanted = torch.zeros(
            (logits.shape[0], *logits.shape[2:]), dtype=torch.int64, device=logits.device
        )
        for cells, boxes, labels in zip(wanted, targets.boxes_xyxy, targets.labels, strict=True):
            center = ((boxes[:, :2] + boxes[:, 2:]) / 2 / STRIDE).long()
            column = center[:, 0].clamp(0, cells.shape[1] - 1)
            row = center[:, 1].clamp(0, cells.shape[0] - 1)
            cells[row, column] = labels + 1
        entropy = F.cross_entropy(logits, wanted, reduction="none")
        return {"loss": (entropy * torch.where(wanted > 0, self.object_weight, 1.0)).mean()}


class DotsPostprocess:
    """A cell reports where an object's channel beats all others, and all cells around."""

    threshold = 0.5

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """One tensor, logits or (``applied``) scores."""
        scores = outputs[0] if specs[0].applied else outputs[0].softmax(dim=1)
        cells = scores.argmax(dim=1)
        best = scores.amax(dim=1)
        firing = torch.where((cells > 0) & (best >= self.threshold), best, 0.0)
        peaks = (firing > 0) & (firing == F.max_pool2d(firing, 3, 1, 1))
        found = []
        for image, peak in enumerate(peaks):
            row, column = peak.nonzero(as_tuple=True)
            corner = torch.stack([column, row], dim=1).float() * STRIDE
            boxes = torch.cat([corner, corner + STRIDE], dim=1)
            score = firing[image, row, column]
            order = score.argsort(descending=True, stable=True)
            label = cells[image, row, column] - 1
            found.append(Detections(boxes[order], score[order], label[order], cells[image]))
        return found


class DotsFamily:
    """Implements :class:`edgectl.plugins.family.Family`."""

    config_type: ClassVar[type[DotsConfig]] = DotsConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """Over edgectl's defaults."""
        return {"train": {"epochs": 40, "batch": 8, "optimizer": {"lr": 0.01}}}

    def build(self, config: DotsConfig, *, num_classes: int, in_chans: int = 3) -> Dots:
        """Randomly initialized."""
        return Dots(config.width, num_classes, in_chans)

    def preprocess(self, config: DotsConfig, input_size: Size) -> PreprocessSpec:
        """Pixel / 255."""
        return PreprocessSpec(input_size)

    def outputs(self, config: DotsConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """One head."""
        return (OutputSpec("cells", "cell_logits", STRIDE, 1 + num_classes, "softmax"),)

    def criterion(self, config: DotsConfig, *, num_classes: int) -> DotsCriterion:
        """Weighted cross-entropy."""
        return DotsCriterion(config.object_weight)

    def postprocess(self, config: DotsConfig, *, num_classes: int) -> DotsPostprocess:
        """With a threshold that training replaces."""
        return DotsPostprocess()

    def load_weights(self, model: nn.Module, config: DotsConfig, path: Path) -> dict[str, Any]:
        """A state dict of this network."""
        return load_by_key(model, read_state(path), where=path, fix="--weights none")
