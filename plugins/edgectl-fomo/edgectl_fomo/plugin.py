"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import DecoderInfo, FamilyInfo, VariantInfo, WeightsSource

_W035 = WeightsSource(
    filename="mobilenetv2_w035_in1k_224.pth",
    url=None,  # the makers publish these weights in another framework's format only
    licence="Apache-2.0",
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
)
_W100 = WeightsSource(
    filename="mobilenet_v2-7ebf99e0.pth",
    url="https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth",
    licence="BSD-3-Clause",
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
)


@hookimpl
def edgectl_register_decoders() -> list[DecoderInfo]:
    """How grids of files that other programs exported are read."""
    return [
        DecoderInfo(
            "centroid",
            "one grid of cells, the background in channel 0",
            "centroid",
            "edgectl_fomo.foreign:CentroidRule",
        )
    ]


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """FOMO in the three sizes of the published configurations."""
    return [
        FamilyInfo(
            name="fomo",
            task="centroid",
            summary="object centers on a coarse grid, for microcontrollers",
            entry="edgectl_fomo.model:FomoFamily",
            variants=(
                VariantInfo("mobilenetv2_0.1_x8", "8 k parameters, 14 MMACs at 192", 8, (192, 192)),
                VariantInfo(
                    "mobilenetv2_0.35_x8",
                    "15 k parameters, 21 MMACs at 192",
                    8,
                    (192, 192),
                    _W035,
                ),
                VariantInfo(
                    "mobilenetv2_1.0_x16",
                    "552 k parameters, 156 MMACs at 192",
                    16,
                    (192, 192),
                    _W100,
                ),
            ),
            default_variant="mobilenetv2_0.35_x8",
        )
    ]
