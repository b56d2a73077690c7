"""The family. See :class:`edgectl.plugins.family.Family`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from edgectl.errors import ConfigError
from edgectl.nn.state import load_by_key, read_state
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_meter.backbone import Backbone
from edgectl_meter.config import MeterConfig
from edgectl_meter.head import PointHead
from edgectl_meter.loss import PointCriterion
from edgectl_meter.plugin import HEAD
from edgectl_meter.postprocess import PointPostprocess

_STRIDE = 16
_GRIDS = {"x112": 7, "x192": 12}


class Meter(nn.Module):
    """(N, in_chans, H, W) to one (N, 2 * points) tensor."""

    def __init__(self, config: MeterConfig, points: int, in_chans: int = 3) -> None:
        super().__init__()
        width = config.width
        self.backbone = Backbone(width, in_chans)
        self.head = PointHead(
            2 * width, 4 * width, hidden=config.hidden, grid=config.grid, points=points
        )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Raw coordinates."""
        return (self.head(*self.backbone(x)),)


class MeterFamily:
    """Stateless."""

    config_type: ClassVar[type[MeterConfig]] = MeterConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """A recipe for hundreds of dials."""
        return {
            "model": {"grid": _GRIDS[variant]},
            "data": {"holdout": 0.0},
            "augment": {"scale": (0.85, 1.1), "translate": 0.04, "rotate": 20.0},
            "train": {
                "epochs": 60,
                "batch": 16,
                "ema_decay": 0.99,
                "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.01},
            },
            "qat": {"epochs": 5, "lr": 0.0002},
        }

    def build(self, config: MeterConfig, *, num_classes: int, in_chans: int = 3) -> Meter:
        """Randomly initialized. The classes of a data set are its key points."""
        return Meter(config, num_classes, in_chans)

    def preprocess(self, config: MeterConfig, input_size: Size) -> PreprocessSpec:
        """Pixel / 255, stretched: devices scale the camera's frame to the input without a border.

        Raises ConfigError for a size the head is not made for.
        """
        if input_size != _size_of(config):
            height, width = input_size
            fix = "choose a square size that is a multiple of 16"
            if height == width and not height % _STRIDE:
                fix = f"--set model.grid={height // _STRIDE}"
            raise ConfigError(
                f"the head sees {config.grid} x {config.grid} cells of {_STRIDE} pixels, "
                f"an input of {height}x{width} has others",
                where="input_size",
                fix=fix,
            )
        return PreprocessSpec(input_size, resize="stretch")

    def outputs(self, config: MeterConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """One tensor without a grid."""
        return (OutputSpec("points", HEAD, 0, 2 * num_classes),)

    def criterion(self, config: MeterConfig, *, num_classes: int) -> PointCriterion:
        """Squared distances."""
        return PointCriterion(_size_of(config))

    def postprocess(self, config: MeterConfig, *, num_classes: int) -> PointPostprocess:
        """Marks at the points."""
        return PointPostprocess(_size_of(config))

    def load_weights(self, model: nn.Module, config: MeterConfig, path: Path) -> dict[str, Any]:
        """A state dict of this network."""
        return load_by_key(model, read_state(path), where=path, fix="--weights none")


def _size_of(config: MeterConfig) -> Size:
    return config.grid * _STRIDE, config.grid * _STRIDE
