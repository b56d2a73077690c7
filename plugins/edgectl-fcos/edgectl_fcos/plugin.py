"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import DecoderInfo, FamilyInfo, VariantInfo, WeightsSource


def _torchvision(filename: str) -> WeightsSource:
    return WeightsSource(
        filename=filename,
        url=f"https://download.pytorch.org/models/{filename}",
        licence="BSD-3-Clause",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
    )


@hookimpl
def edgectl_register_decoders() -> list[DecoderInfo]:
    """How heads of files that other programs exported are read."""
    return [
        DecoderInfo(
            "fcos",
            "FCOS: classes, distances, center-ness a stride",
            "detection",
            "edgectl_fcos.foreign:FcosRule",
        )
    ]


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """FCOS in three sizes."""
    return [
        FamilyInfo(
            name="fcos",
            task="detection",
            summary="one-stage object detection, for NPUs and servers",
            entry="edgectl_fcos.model:FcosFamily",
            variants=(
                VariantInfo(
                    "r50",
                    "32.3 M parameters, ResNet-50, group norm (float devices)",
                    32,
                    (800, 1088),
                    _torchvision("fcos_resnet50_fpn_coco-99b0c9b7.pth"),
                ),
                VariantInfo(
                    "r18",
                    "ResNet-18, batch norm",
                    32,
                    (512, 512),
                    _torchvision("resnet18-f37072fd.pth"),
                ),
                VariantInfo(
                    "efficientnetb0",
                    "EfficientNet-B0 with ReLU, BiFPN",
                    128,
                    (512, 512),
                    _torchvision("efficientnet_b0_rwightman-7f5810bc.pth"),
                ),
            ),
            default_variant="efficientnetb0",
        )
    ]
