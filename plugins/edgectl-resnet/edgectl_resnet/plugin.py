"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import FamilyInfo, VariantInfo, WeightsSource


def _torchvision(filename: str) -> WeightsSource:
    return WeightsSource(
        filename=filename,
        url=f"https://download.pytorch.org/models/{filename}",
        licence="BSD-3-Clause",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
    )


_W035 = WeightsSource(
    filename="mobilenetv2_w035_in1k_128.pth",
    url=None,  # the makers publish these weights in another framework's format only
    licence="Apache-2.0",
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
)


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """ResNet for processors and NPUs, MobileNetV2 for microcontrollers. Any input size."""
    return [
        FamilyInfo(
            name="resnet",
            task="classification",
            summary="what an image shows: one class of several",
            entry="edgectl_resnet.model:ResnetFamily",
            variants=(
                VariantInfo(
                    "resnet18",
                    "11.2 M parameters, 1.8 GMACs at 224",
                    1,
                    (224, 224),
                    _torchvision("resnet18-f37072fd.pth"),
                ),
                VariantInfo(
                    "resnet34",
                    "21.3 M parameters, 3.7 GMACs at 224",
                    1,
                    (224, 224),
                    _torchvision("resnet34-b627a593.pth"),
                ),
                VariantInfo(
                    "resnet50",
                    "23.5 M parameters, 4.1 GMACs at 224",
                    1,
                    (224, 224),
                    _torchvision("resnet50-0676ba61.pth"),
                ),
                VariantInfo(
                    "mobilenetv2_0.35",
                    "0.4 M parameters, 11 MMACs at 96",
                    1,
                    (96, 96),
                    _W035,
                ),
                VariantInfo(
                    "mobilenetv2_1.0",
                    "2.2 M parameters, 98 MMACs at 128",
                    1,
                    (128, 128),
                    _torchvision("mobilenet_v2-7ebf99e0.pth"),
                ),
            ),
            default_variant="resnet18",
        )
    ]
