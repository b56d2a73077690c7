"""RTMDet: a one-stage detector of CSPNeXt blocks (Lyu et al., 2022, arXiv:2212.07784).

The published sizes, OpenMMLab's nano, two shapes for microcontrollers with an NPU after SSCMA's (whole
convolutions, no sharing, bounded activation), and two that a microcontroller's own flash and cores bear.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from edgectl.nn.mobilenetv2 import load_mobilenetv2
from edgectl.nn.state import Normalization
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_rtmdet.backbone import CspNext
from edgectl_rtmdet.config import RtmdetConfig
from edgectl_rtmdet.head import STRIDES, SepBnHead
from edgectl_rtmdet.loss import RtmdetCriterion
from edgectl_rtmdet.mobilenetv2 import MobileNetV2Pyramid
from edgectl_rtmdet.mobilenetv4 import MobileNetV4Small
from edgectl_rtmdet.neck import CspNextPafpn
from edgectl_rtmdet.plugin import MOBILENETV2_W035
from edgectl_rtmdet.postprocess import RtmdetPostprocess
from edgectl_rtmdet.weights import CENTRED, load_openmmlab

_NANO = {"deepen": 0.33, "widen": 0.25, "neck_blocks": 1, "out_channels": 64}
_MCU = {**_NANO, "depthwise": False, "normalise": "unit"}
# what hundreds of kilobytes of flash hold: ImageNet weights at a third of the width, a thin neck and head
_SMALL = {
    "backbone": "mobilenetv2",
    "widen": 0.35,
    "neck_blocks": 1,
    "depthwise": True,
    "attention": False,
    "act_layer": "relu6",
    "normalise": "unit",
}

_MODELS: dict[str, dict[str, Any]] = {
    "nano": {**_NANO, "depthwise": True},
    "nano_relu": {**_MCU, "act_layer": "relu"},
    "nano_relu6": {**_MCU, "act_layer": "relu6", "attention": False},
    "micro_relu6": {**_SMALL, "stages": 5, "out_channels": 48},
    "pico_relu6": {**_SMALL, "stages": 5, "out_channels": 24},
    "mnv4": {
        "backbone": "mobilenetv4_small",
        "neck_blocks": 1,
        "out_channels": 64,
        "depthwise": True,
        "act_layer": "relu",
        "normalise": "unit",
    },
    "tiny": {
        "deepen": 0.167,
        "widen": 0.375,
        "neck_blocks": 1,
        "out_channels": 96,
        "share_convs": True,
    },
    "s": {
        "deepen": 0.33,
        "widen": 0.5,
        "neck_blocks": 1,
        "out_channels": 128,
        "share_convs": True,
    },
    "m": {
        "deepen": 0.67,
        "widen": 0.75,
        "neck_blocks": 2,
        "out_channels": 192,
        "share_convs": True,
        "exp_on_reg": True,
    },
    "l": {
        "deepen": 1.0,
        "widen": 1.0,
        "neck_blocks": 3,
        "out_channels": 256,
        "share_convs": True,
        "exp_on_reg": True,
    },
}


class Rtmdet(nn.Module):
    """(N, in_chans, H, W) to six tensors: classes at strides 8, 16, 32, then distances at the same."""

    def __init__(self, config: RtmdetConfig, num_classes: int, in_chans: int = 3) -> None:
        super().__init__()
        self.backbone: CspNext | MobileNetV4Small | MobileNetV2Pyramid
        if config.backbone == "cspnext":
            self.backbone = CspNext(
                deepen=config.deepen,
                widen=config.widen,
                depthwise=config.depthwise,
                attention=config.attention,
                act_layer=config.act_layer,
                in_chans=in_chans,
            )
        elif config.backbone == "mobilenetv2":
            self.backbone = MobileNetV2Pyramid(
                width=config.widen,
                stages=config.stages,
                act_layer=config.act_layer,
                in_chans=in_chans,
            )
        else:
            self.backbone = MobileNetV4Small(act_layer=config.act_layer, in_chans=in_chans)
        self.neck = CspNextPafpn(
            self.backbone.channels,
            config.out_channels,
            blocks=config.neck_blocks,
            depthwise=config.depthwise,
            act_layer=config.act_layer,
        )
        self.bbox_head = SepBnHead(
            config.out_channels,
            num_classes,
            share_convs=config.share_convs,
            depthwise=config.depthwise,
            act_layer=config.act_layer,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Raw logits and distances."""
        outputs: tuple[Tensor, ...] = self.bbox_head(self.neck(self.backbone(x)))
        return outputs


class RtmdetFamily:
    """Implements :class:`edgectl.plugins.family.Family`."""

    config_type: ClassVar[type[RtmdetConfig]] = RtmdetConfig

    def presets(self, variant: str) -> dict[str, Any]:
        """A recipe for hundreds of images: small batches and a high rate, so that few images make many
        and large steps; moderate zoom, so that small objects stay what the device will see."""
        return {
            "model": dict(_MODELS[variant]),
            "train": {
                "epochs": 150,
                "batch": 8,
                "ema_decay": 0.99,
                "optimizer": {"name": "adamw", "lr": 0.004, "weight_decay": 0.05},
                "schedule": {"final_lr_fraction": 0.05},
            },
            "augment": {"mosaic": 0.3, "mosaic_off_fraction": 0.1, "scale": [0.8, 1.6]},
            "qat": {"batch": 8, "lr": 0.0001, "task_weight": 0.1, "teacher_weight": 1.0},
        }

    def build(self, config: RtmdetConfig, *, num_classes: int, in_chans: int = 3) -> Rtmdet:
        """Randomly initialized."""
        return Rtmdet(config, num_classes, in_chans)

    def preprocess(self, config: RtmdetConfig, input_size: Size) -> PreprocessSpec:
        """Letterboxed, red first."""
        if config.normalise == "unit":
            return PreprocessSpec(input_size)
        return PreprocessSpec(input_size, mean=CENTRED.mean, std=CENTRED.std)

    def outputs(self, config: RtmdetConfig, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """Three class tensors, three distance tensors."""
        kind = "box_log_distances" if config.exp_on_reg else "box_distances"
        classes = [
            OutputSpec(f"cls_{s}", "class_logits", s, num_classes, "sigmoid") for s in STRIDES
        ]
        return (
            *classes,
            *(OutputSpec(f"box_{s}", kind, s, 4, offset=config.prior_offset) for s in STRIDES),
        )

    def criterion(self, config: RtmdetConfig, *, num_classes: int) -> RtmdetCriterion:
        """Quality focal and GIoU loss over dynamic soft-label assignment."""
        return RtmdetCriterion(
            exp_on_reg=config.exp_on_reg,
            offset=config.prior_offset,
            class_weight=config.class_weight,
            box_weight=config.box_weight,
        )

    def postprocess(self, config: RtmdetConfig, *, num_classes: int) -> RtmdetPostprocess:
        """Decoding and non-maximum suppression."""
        return RtmdetPostprocess(config)

    def load_weights(
        self, model: nn.Module, config: RtmdetConfig, path: Path, *, fold: bool = True
    ) -> dict[str, Any]:
        """OpenMMLab's checkpoints; ImageNet weights for a MobileNetV2."""
        if isinstance(model, Rtmdet) and isinstance(model.backbone, MobileNetV2Pyramid):
            source = MOBILENETV2_W035
            made_for = Normalization(source.mean, source.std) if fold else None
            return load_mobilenetv2(model.backbone.body, path, made_for)
        return load_openmmlab(model, path, unit_input=config.normalise == "unit", fold=fold)
