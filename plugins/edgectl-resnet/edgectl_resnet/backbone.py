"""torchvision's networks, their classifier turned into a 1x1 convolution.

Parameter names are torchvision's, so its weights load by key. A convolution after the global mean
computes what the fully connected layer does, and is what integer kernels and NPUs do best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.nn.stem import sum_channels
from edgectl.nn.vision import vision
from edgectl_resnet.config import ResnetConfig

_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6}
_TENSORFLOW_EPS = 1e-3
"""Epsilon of the batch norms in the TensorFlow originals, which the small-width weights come from."""


class ResNet(nn.Module):
    """(N, in_chans, H, W) to a tuple of one (N, num_classes) tensor (He et al., 2016, arXiv:1512.03385).

    The last norm of each residual branch starts at zero (Goyal et al., 2017, arXiv:1706.02677):
    blocks begin as identities, and training from scratch is quicker.
    """

    def __init__(self, name: str, num_classes: int, dropout: float) -> None:
        super().__init__()
        whole = getattr(vision("models"), name)(weights=None, zero_init_residual=True)
        self.conv1, self.bn1, self.relu, self.maxpool = (
            whole.conv1,
            whole.bn1,
            whole.relu,
            whole.maxpool,
        )
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(dropout)
        self.fc = _classifier(whole.fc.in_features, num_classes)

    @property
    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """First convolution and its norm."""
        return self.conv1, self.bn1

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Raw logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return (self.fc(self.drop(self.avgpool(x))).flatten(1),)


class MobileNetV2(nn.Module):
    """(N, in_chans, H, W) to a tuple of one (N, num_classes) tensor (Sandler et al., 2018,
    arXiv:1801.04381)."""

    def __init__(self, width: float, num_classes: int, dropout: float, *, tensorflow: bool) -> None:
        super().__init__()
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d
        if tensorflow:

            def norm(channels: int) -> nn.Module:
                return nn.BatchNorm2d(channels, eps=_TENSORFLOW_EPS)

        whole = vision("models").MobileNetV2(width_mult=width, norm_layer=norm)
        self.features = whole.features
        if tensorflow:
            _pad_bottom_right(self.features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), _classifier(whole.last_channel, num_classes)
        )

    @property
    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """First convolution and its norm."""
        conv, norm = self.features[0][0], self.features[0][1]
        return conv, norm

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Raw logits."""
        return (self.classifier(self.avgpool(self.features(x))).flatten(1),)


class BottomRightConv(nn.Conv2d):
    """A convolution of stride 2 as TensorFlow pads it on even sizes: the border lies behind.

    The small-width ImageNet weights were trained so, and a TFLite file needs no PAD copy of the tensor.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / 2, W / 2)."""
        border = self.kernel_size[0] // 2
        x = F.pad(x, (0, border, 0, border))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def build_network(
    config: ResnetConfig, num_classes: int, in_chans: int = 3
) -> ResNet | MobileNetV2:
    """Randomly initialized."""
    model: ResNet | MobileNetV2
    if config.architecture == "mobilenetv2":
        model = MobileNetV2(
            config.width,
            num_classes,
            config.dropout,
            tensorflow=config.padding == "tensorflow",
        )
    else:
        model = ResNet(config.architecture, num_classes, config.dropout)
    if in_chans == 1:
        sum_channels(model.stem[0])
    _replace(
        model,
        lambda m: isinstance(m, nn.ReLU | nn.ReLU6),
        lambda m: _ACTIVATIONS[config.act_layer](inplace=True),
    )
    return model


def _classifier(in_chans: int, num_classes: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_chans, num_classes, 1)
    nn.init.normal_(conv.weight, std=0.01)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _pad_bottom_right(module: nn.Module) -> None:
    def turned(conv: Any) -> nn.Module:
        new = BottomRightConv(
            conv.in_channels, conv.out_channels, conv.kernel_size, 2, groups=conv.groups, bias=False
        )
        with torch.no_grad():
            new.weight.copy_(conv.weight)
        return new

    _replace(module, lambda m: isinstance(m, nn.Conv2d) and m.stride == (2, 2), turned)


def _replace(
    module: nn.Module, wanted: Callable[[nn.Module], bool], new: Callable[[nn.Module], nn.Module]
) -> None:
    """Exchanges every inner module that is ``wanted``, in place."""
    for name, child in module.named_children():
        if wanted(child):
            setattr(module, name, new(child))
        else:
            _replace(child, wanted, new)
