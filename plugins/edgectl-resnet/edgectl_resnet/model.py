"""The classifiers as a family. See :class:`edgectl.plugins.family.Family`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from edgectl.errors import ConfigError
from edgectl.plugins.info import WeightsSource
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_resnet.backbone import MobileNetV2, ResNet, build_network
from edgectl_resnet.config import ResnetConfig
from edgectl_resnet.loss import ClassificationCriterion
from edgectl_resnet.plugin import edgectl_register_families
from edgectl_resnet.postprocess import ClassificationPostprocess
from edgectl_resnet.weights import load_imagenet

_SMALLEST = 32
"""Five halvings leave one cell."""

_MOBILE = {"architecture": "mobilenetv2", "act_layer": "relu6", "dropout": 0.2}
_MODELS: dict[str, dict[str, Any]] = {
    "resnet18": {"architecture": "resnet18"},
    "resnet34": {"architecture": "resnet34"},
    "resnet50": {"architecture": "resnet50"},
    "mobilenetv2_0.35": {**_MOBILE, "width": 0.35, "padding": "tensorflow"},
    "mobilenetv2_1.0": {**_MOBILE, "width": 1.0},
}

# quick networks learn from a few rounds, if they have seen ImageNet; without, ask for more --epochs
_RECIPES: dict[str, dict[str, Any]] = {
    "mobilenetv2_0.35": {"epochs": 10, "batch": 16},
    "mobilenetv2_1.0": {"epochs": 10, "batch": 16},
}


class ResnetFamily:
    """Stateless."""

    config_type: ClassVar[type[ResnetConfig]] = ResnetConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """A recipe for hundreds of images a class: many small steps."""
        return {
            "model": dict(_MODELS[variant]),
            # there is no threshold to choose, and the last weights of an averaged run are its best
            "data": {"holdout": 0.0},
            "train": {
                **_RECIPES.get(variant, {"epochs": 14, "batch": 8}),
                "ema_decay": 0.98,
                "optimizer": {"name": "adamw", "lr": 0.001, "weight_decay": 0.05},
                "schedule": {"final_lr_fraction": 0.01},
            },
            "qat": {"epochs": 3, "lr": 0.0001},
        }

    def build(
        self, config: ResnetConfig, *, num_classes: int, in_chans: int = 3
    ) -> ResNet | MobileNetV2:
        """Randomly initialized."""
        return build_network(config, num_classes, in_chans)

    def preprocess(self, config: ResnetConfig, input_size: Size) -> PreprocessSpec:
        """pixel / 255: what the device feeds, so nothing is left to fold. Stretched: devices scale the
        camera's frame to the input without a border.

        Raises ConfigError for an input that five halvings leave nothing of.
        """
        if min(input_size) < _SMALLEST:
            raise ConfigError(
                f"an input of {input_size[0]}x{input_size[1]} is too small for {config.architecture}",
                where="input_size",
                fix=f"--imgsz {_SMALLEST} or more",
            )
        return PreprocessSpec(input_size, resize="stretch")

    def outputs(self, config: ResnetConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """One (N, num_classes) tensor."""
        return (OutputSpec("classes", "class_logits", 0, num_classes, "softmax"),)

    def criterion(self, config: ResnetConfig, *, num_classes: int) -> ClassificationCriterion:
        """Cross entropy."""
        return ClassificationCriterion(config.label_smoothing)

    def postprocess(self, config: ResnetConfig, *, num_classes: int) -> ClassificationPostprocess:
        """A ranking of the classes."""
        return ClassificationPostprocess()

    def load_weights(
        self, model: nn.Module, config: ResnetConfig, path: Path, *, fold: bool = True
    ) -> dict[str, Any]:
        """ImageNet weights; the classifier stays as it is unless the classes are ImageNet's."""
        assert isinstance(model, ResNet | MobileNetV2)
        return load_imagenet(model, path, _source_of(config) if fold else None)


def _source_of(config: ResnetConfig) -> WeightsSource:
    """The normalization a file was trained with: that of the published file of its architecture."""
    (info,) = edgectl_register_families()
    known = {v.name: v.weights for v in info.variants if v.weights is not None}
    if config.padding == "tensorflow":
        return known["mobilenetv2_0.35"]
    return known[_MOBILENET if config.architecture == "mobilenetv2" else config.architecture]


_MOBILENET = "mobilenetv2_1.0"
