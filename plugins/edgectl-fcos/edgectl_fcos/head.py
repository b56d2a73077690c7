"""FCOS's head: per level a class branch and a box branch, center-ness beside one of them (Tian et al.,
2019, arXiv:1904.01355; 2020, arXiv:2006.09214).

Parameter names are torchvision's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgectl.nn.blocks import SeparableConv
from edgectl_fcos.config import GROUPS, FcosConfig

STRIDES = (8, 16, 32, 64, 128)
_PRIOR = 0.01
"""Probability every class starts from (Lin et al., 2017, arXiv:1708.02002)."""
_FIRST_DISTANCE = 1.0
"""Strides. At 0 half of all distances would start behind the ReLU, where nothing is learnt."""


class Tower(nn.Module):
    """Stacked 3x3 convolutions, then one 3x3 predictor a name in ``predictors`` (name to channels)."""

    def __init__(self, config: FcosConfig, predictors: dict[str, int]) -> None:
        super().__init__()
        chans = config.out_channels
        layers: list[nn.Module] = []
        for _ in range(config.stacked_convs):
            if config.depthwise:
                layers.append(SeparableConv(chans, chans, 3, act_layer="relu"))
                continue
            grouped = config.norm == "gn"
            norm = nn.GroupNorm(GROUPS, chans) if grouped else nn.BatchNorm2d(chans)
            layers += [nn.Conv2d(chans, chans, 3, padding=1, bias=grouped), norm, nn.ReLU()]
        self.conv = nn.Sequential(*layers)
        for name, out_chans in predictors.items():
            self.add_module(name, nn.Conv2d(chans, out_chans, 3, padding=1))
        self._predictors = tuple(predictors)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, C, h, w) to the predictors' (N, channels, h, w)."""
        x = self.conv(x)
        return {name: self.get_submodule(name)(x) for name in self._predictors}

    def bias(self, predictor: str) -> Tensor:
        """A predictor's bias, (channels,)."""
        bias = self.get_submodule(predictor).bias
        assert isinstance(bias, Tensor)
        return bias


class FcosHead(nn.Module):
    """Five (N, C, h, w) maps to fifteen tensors: class logits, distances, center-ness logits.

    Distances are left, top, right, bottom in units of the stride, or with ``norm_on_bbox`` off their
    logarithms.
    """

    def __init__(self, config: FcosConfig, num_classes: int) -> None:
        super().__init__()
        self.norm_on_bbox = config.norm_on_bbox
        classes, boxes = {"cls_logits": num_classes}, {"bbox_reg": 4}
        (boxes if config.centerness_on_reg else classes)["bbox_ctrness"] = 1
        self.classification_head = _branch(config, classes)
        self.regression_head = _branch(config, boxes)
        count = len(STRIDES) if config.level_scales else 0
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in range(count))
        with torch.no_grad():
            for tower in _levels(self.classification_head):
                tower.bias("cls_logits").fill_(-math.log((1 - _PRIOR) / _PRIOR))
            for tower in _levels(self.regression_head):
                if config.norm_on_bbox:
                    tower.bias("bbox_reg").fill_(_FIRST_DISTANCE)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Class tensors first, then distances, then center-ness; finest level first."""
        classes = _levels(self.classification_head)
        boxes = _levels(self.regression_head)
        found = [
            {**of_class(x), **of_box(x)}
            for of_class, of_box, x in zip(classes, boxes, features, strict=True)
        ]
        return (
            *(f["cls_logits"] for f in found),
            *(self._distances(level, f["bbox_reg"]) for level, f in enumerate(found)),
            *(f["bbox_ctrness"] for f in found),
        )

    def _distances(self, level: int, raw: Tensor) -> Tensor:
        scaled = raw * self.scales[level] if len(self.scales) else raw
        if self.norm_on_bbox:
            return scaled.relu()
        # exp(raw) is in pixels: the stride comes out of the logarithm
        return scaled - math.log(STRIDES[level])


def _branch(config: FcosConfig, predictors: dict[str, int]) -> nn.Module:
    """One tower for all levels, or one a level; shared ones with batch norms keep those apart, since a
    norm's running mean over levels is the mean of none of them."""
    if config.share_head and config.norm == "gn":
        return Tower(config, predictors)
    towers = nn.ModuleList(Tower(config, predictors) for _ in STRIDES)
    if config.share_head:
        first = towers[0]
        for tower in towers[1:]:
            _tie_convolutions(tower, first)
    return towers


def _tie_convolutions(module: nn.Module, source: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            setattr(module, name, source.get_submodule(name))
        else:
            _tie_convolutions(child, source.get_submodule(name))


def _levels(branch: nn.Module) -> list[Tower]:
    towers = list(branch) if isinstance(branch, nn.ModuleList) else [branch] * len(STRIDES)
    return [t for t in towers if isinstance(t, Tower)]
