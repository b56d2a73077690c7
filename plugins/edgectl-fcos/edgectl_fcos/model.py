"""FCOS: one-stage detection without anchors (Tian et al., 2019, arXiv:1904.01355).

ResNet with a feature pyramid, as published and as torchvision has it, and the shape Horizon's toolchain
trains for its NPUs: EfficientNet-B0 without squeeze-excitation, BiFPN of plain sums, a head of its own
for each level.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_fcos.backbone import build_body
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.head import STRIDES, FcosHead
from edgectl_fcos.loss import FcosCriterion
from edgectl_fcos.neck import build_neck
from edgectl_fcos.postprocess import FcosPostprocess
from edgectl_fcos.weights import IMAGENET, SEEN, load_torchvision

_PYRAMID = {
    "neck": "fpn",
    "out_channels": 256,
    "depthwise": False,
    "share_head": True,
    "assigner": "ranges",
}
_MODELS: dict[str, dict[str, Any]] = {
    "r50": {
        **_PYRAMID,
        "backbone": "resnet50",
        "norm": "gn",
        "normalise": "imagenet",
        "point_offset": 0.0,
    },
    "r18": {
        **_PYRAMID,
        "backbone": "resnet18",
        "norm": "bn",
        "normalise": "centred",
        "level_scales": True,
    },
    "efficientnetb0": {
        "backbone": "efficientnet_b0",
        "neck": "bifpn",
        "out_channels": 64,
        "depthwise": True,
        "share_head": False,
        "assigner": "dynamic",
        "normalise": "signed",
    },
}

# Published for hundreds of thousands of images: .01 for batches of 16 (ResNet), .14 for 96
# (EfficientNet). Few images make few steps: small batches, at several times the linear rule's rate.
_SGD = {"name": "sgd", "momentum": 0.9, "weight_decay": 0.0001}
_RECIPES: dict[str, dict[str, Any]] = {
    "r50": {"epochs": 100, "batch": 8, "ema_decay": 0.99, "optimizer": {**_SGD, "lr": 0.01}},
    "r18": {"epochs": 150, "batch": 8, "ema_decay": 0.99, "optimizer": {**_SGD, "lr": 0.02}},
    "efficientnetb0": {
        "epochs": 150,
        "batch": 8,
        "ema_decay": 0.99,
        "optimizer": {**_SGD, "weight_decay": 0.00004, "lr": 0.05},
    },
}


class FeatureExtractor(nn.Module):
    """Backbone and neck under the names torchvision gives them."""

    def __init__(self, config: FcosConfig, in_chans: int = 3) -> None:
        super().__init__()
        self.body = build_body(config, in_chans)
        self.fpn = build_neck(config, self.body.channels)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Five maps, finest first."""
        features: OrderedDict[str, Tensor] = self.fpn(self.body(x))
        return features


class Fcos(nn.Module):
    """(N, in_chans, H, W) to fifteen tensors: classes at strides 8 to 128, distances, center-ness."""

    def __init__(self, config: FcosConfig, num_classes: int, in_chans: int = 3) -> None:
        super().__init__()
        self.backbone = FeatureExtractor(config, in_chans)
        self.head = FcosHead(config, num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Raw class logits, distances, center-ness logits."""
        outputs: tuple[Tensor, ...] = self.head(list(self.backbone(x).values()))
        return outputs


class FcosFamily:
    """Implements :class:`edgectl.plugins.family.Family`."""

    config_type: ClassVar[type[FcosConfig]] = FcosConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """A recipe for hundreds of images."""
        return {
            "model": dict(_MODELS[variant]),
            "train": copy.deepcopy(_RECIPES[variant]),
            "augment": {"mosaic": 0.3, "mosaic_off_fraction": 0.1, "scale": [0.8, 1.6]},
            "qat": {"batch": 8, "lr": 0.0001, "task_weight": 0.1, "teacher_weight": 1.0},
        }

    def build(self, config: FcosConfig, *, num_classes: int, in_chans: int = 3) -> Fcos:
        """Randomly initialized."""
        return Fcos(config, num_classes, in_chans)

    def preprocess(self, config: FcosConfig, input_size: Size) -> PreprocessSpec:
        """Letterboxed, red first."""
        seen = SEEN[config.normalise]
        return PreprocessSpec(input_size, mean=seen.mean, std=seen.std)

    def outputs(self, config: FcosConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """Five class tensors, five distance tensors, five center-ness tensors."""
        distances = "box_distances" if config.norm_on_bbox else "box_log_distances"
        return (
            *(OutputSpec(f"cls_{s}", "class_logits", s, num_classes, "sigmoid") for s in STRIDES),
            *(OutputSpec(f"box_{s}", distances, s, 4, offset=config.point_offset) for s in STRIDES),
            *(OutputSpec(f"ctr_{s}", "centerness_logits", s, 1, "sigmoid") for s in STRIDES),
        )

    def criterion(self, config: FcosConfig, *, num_classes: int) -> FcosCriterion:
        """Focal, IoU and center-ness loss over the configured assignment."""
        return FcosCriterion(config)

    def postprocess(self, config: FcosConfig, *, num_classes: int) -> FcosPostprocess:
        """Decoding and non-maximum suppression."""
        return FcosPostprocess(config)

    def load_weights(
        self, model: nn.Module, config: FcosConfig, path: Path, *, fold: bool = True
    ) -> dict[str, Any]:
        """torchvision's FCOS, or its classifiers."""
        return load_torchvision(model, path, SEEN[config.normalise] if fold else IMAGENET)
