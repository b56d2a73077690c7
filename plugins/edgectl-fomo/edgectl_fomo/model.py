"""FOMO: which cells of a coarse grid hold an object's center (Edge Impulse, 2022).

A MobileNetV2 cut at stride 8 or 16 and a 1x1 head: per cell, one logit for the background and one for
each class. The sizes are those of SSCMA's published configurations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from edgectl.nn.mobilenetv2 import MobileNetV2, load_mobilenetv2
from edgectl.nn.state import Normalization
from edgectl.plugins.info import WeightsSource
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_fomo.config import FomoConfig
from edgectl_fomo.head import FomoHead
from edgectl_fomo.loss import FomoCriterion
from edgectl_fomo.plugin import edgectl_register_families
from edgectl_fomo.postprocess import FomoPostprocess

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu6": nn.ReLU6, "relu": nn.ReLU}
_STRIDES = {1: 2, 2: 4, 3: 8, 4: 16, 5: 16, 6: 32, 7: 32}

_MODELS: dict[str, dict[str, Any]] = {
    "mobilenetv2_0.1_x8": {"width": 0.1, "stages": 3, "head_channels": 48},
    "mobilenetv2_0.35_x8": {"width": 0.35, "stages": 3, "head_channels": 48},
    "mobilenetv2_1.0_x16": {"width": 1.0, "stages": 5, "head_channels": 96},
}


class Fomo(nn.Module):
    """(N, in_chans, H, W) to a tuple of one (N, num_classes + 1, H / stride, W / stride) tensor."""

    def __init__(self, config: FomoConfig, num_classes: int, in_chans: int = 3) -> None:
        super().__init__()
        act_layer = _ACTIVATIONS[config.act_layer]
        self.backbone = MobileNetV2(config.width, config.stages, act_layer, in_chans)
        self.head = FomoHead(self.backbone.out_chans, config.head_channels, num_classes, act_layer)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Raw logits, background first."""
        return (self.head(self.backbone(x)),)


class FomoFamily:
    """Implements :class:`edgectl.plugins.family.Family`."""

    config_type: ClassVar[type[FomoConfig]] = FomoConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """A recipe for hundreds of images: small batches, strong zoom, a high learning rate, and two
        samples of each image an epoch. At stride 8 a cell sees 59 pixels, so two thirds of the input
        are enough to learn from."""
        return {
            "model": dict(_MODELS[variant]),
            "train": {
                "epochs": 100,
                "batch": 4,
                "ema_decay": 0.99,
                "optimizer": {"name": "adamw", "lr": 0.01, "weight_decay": 0.02},
                "schedule": {"final_lr_fraction": 0.01},
            },
            "augment": {
                "mosaic": 0.5,
                "scale": [0.6, 1.5],
                "hue": 10.0,
                "saturation": 0.6,
                "value": 0.6,
                "grey": 0.1,
                "blur": 0.1,
                "window": [0.66 if _MODELS[variant]["stages"] == 3 else 1.0, 1.0],
                "repeats": 2,
            },
            "qat": {"batch": 8},
        }

    def build(self, config: FomoConfig, *, num_classes: int, in_chans: int = 3) -> Fomo:
        """Randomly initialized."""
        return Fomo(config, num_classes, in_chans)

    def preprocess(self, config: FomoConfig, input_size: Size) -> PreprocessSpec:
        """pixel / 255: what the device feeds, so nothing is left to fold."""
        return PreprocessSpec(input_size)

    def outputs(self, config: FomoConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """One tensor of cell logits."""
        stride = _STRIDES[config.stages]
        return (OutputSpec("cells", "cell_logits", stride, num_classes + 1, "sigmoid"),)

    def criterion(self, config: FomoConfig, *, num_classes: int) -> FomoCriterion:
        """Weighted logistic loss."""
        return FomoCriterion(
            _STRIDES[config.stages],
            object_weight=config.object_weight,
            spread=config.spread,
            shift=config.shift_targets,
        )

    def postprocess(
        self,
        config: FomoConfig,
        *,
        num_classes: int,
    ) -> FomoPostprocess:
        """With the default threshold until the operating point is known."""
        return FomoPostprocess(_STRIDES[config.stages])

    def load_weights(
        self, model: nn.Module, config: FomoConfig, path: Path, *, fold: bool = True
    ) -> dict[str, Any]:
        """ImageNet weights into the backbone; the head stays as it is."""
        assert isinstance(model, Fomo)
        source = _source_of(config, path) if fold else None
        trained_on = None if source is None else Normalization(source.mean, source.std)
        return load_mobilenetv2(model.backbone, path, trained_on)


def _source_of(config: FomoConfig, path: Path) -> WeightsSource | None:
    """The normalization a file was trained with: that of the known file of its width."""
    (info,) = edgectl_register_families()
    for variant in info.variants:
        known = variant.weights
        same_width = _MODELS[variant.name]["width"] == config.width
        if known is not None and (known.filename == path.name or same_width):
            return known
    return None
