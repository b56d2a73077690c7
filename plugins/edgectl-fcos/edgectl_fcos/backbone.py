"""ResNet as a feature extractor (He et al., 2016, arXiv:1512.03385), with torchvision's parameter names."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from edgectl.nn.stem import sum_channels
from edgectl.nn.vision import vision
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.efficientnet import EfficientNetB0


class ResNetBody(nn.Module):
    """(N, in_chans, H, W) to three feature maps at strides 8, 16 and 32.

    Attributes:
        channels: of the three, finest first.
    """

    def __init__(self, name: str, in_chans: int = 3) -> None:
        super().__init__()
        whole = getattr(vision("models"), name)(weights=None, zero_init_residual=True)
        self.conv1, self.bn1 = whole.conv1, whole.bn1
        if in_chans == 1:
            sum_channels(self.conv1)
        self.relu, self.maxpool = whole.relu, whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        widest: int = whole.fc.in_features
        self.channels = (widest // 4, widest // 2, widest)

    @property
    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """First convolution and its norm."""
        return self.conv1, self.bn1

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Finest first."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        found: OrderedDict[str, Tensor] = OrderedDict()
        for number, layer in enumerate((self.layer2, self.layer3, self.layer4)):
            x = layer(x)
            found[str(number)] = x
        return found


def build_body(config: FcosConfig, in_chans: int = 3) -> ResNetBody | EfficientNetB0:
    """Randomly initialized."""
    if config.backbone == "efficientnet_b0":
        return EfficientNetB0(in_chans)
    return ResNetBody(config.backbone, in_chans)
