"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import DecoderInfo, FamilyInfo, VariantInfo, WeightsSource

_PUBLISHED = "https://download.openmmlab.com/"
_DETECTORS = _PUBLISHED + "mmdetection/v3.0/rtmdet/"


def _weights(filename: str, url: str) -> WeightsSource:
    return WeightsSource(
        filename=filename,
        url=url,
        licence="Apache-2.0",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        channel_order="bgr",
    )


def _coco(size: str, digest: str) -> WeightsSource:
    recipe = f"rtmdet_{size}_8xb32-300e_coco"
    filename = f"{recipe}_{digest}.pth"
    return _weights(filename, f"{_DETECTORS}{recipe}/{filename}")


_PERSON = _weights(
    "rtmdet_nano_person.pth",
    _PUBLISHED
    + "mmpose/v1/projects/rtmpose/rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth",
)


MOBILENETV2_W035 = WeightsSource(
    filename="mobilenetv2_w035_in1k_224.pth",
    url=None,  # the makers publish these weights in another framework's format only
    licence="Apache-2.0",
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
)


@hookimpl
def edgectl_register_decoders() -> list[DecoderInfo]:
    """How heads of files that other programs exported are read."""
    place = "edgectl_rtmdet.foreign"
    return [
        DecoderInfo(
            "rtmdet",
            "RTMDet as MMDeploy exports it: classes and distances in pixels a stride",
            "detection",
            f"{place}:RtmdetRule",
        ),
        DecoderInfo(
            "rtmdet_heads",
            "RTMDet's raw heads: classes and distances in strides a stride",
            "detection",
            f"{place}:RtmdetHeadsRule",
        ),
    ]


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """RTMDet from pico to l."""
    return [
        FamilyInfo(
            name="rtmdet",
            task="detection",
            summary="one-stage object detection, from microcontrollers to servers",
            entry="edgectl_rtmdet.model:RtmdetFamily",
            variants=(
                VariantInfo(
                    "nano",
                    "1.0 M parameters, SiLU, separable convolutions",
                    32,
                    (320, 320),
                    _PERSON,
                ),
                VariantInfo("nano_relu", "2.5 M parameters, ReLU, attention", 32, (192, 192)),
                VariantInfo("nano_relu6", "2.4 M parameters, ReLU6, no attention", 32, (192, 192)),
                VariantInfo(
                    "micro_relu6",
                    "MobileNetV2 0.35 to stride 16, 0.16 M parameters, 43 M MACs at 192 px",
                    32,
                    (192, 192),
                    MOBILENETV2_W035,
                ),
                VariantInfo(
                    "pico_relu6",
                    "the same with half the neck and head, 0.13 M parameters, 37 M MACs",
                    32,
                    (192, 192),
                    MOBILENETV2_W035,
                ),
                VariantInfo("mnv4", "MobileNetV4-Conv-Small backbone, ReLU", 32, (192, 192)),
                VariantInfo(
                    "tiny",
                    "4.9 M parameters",
                    32,
                    (640, 640),
                    _coco("tiny", "20220902_112414-78e30dcc"),
                ),
                VariantInfo(
                    "s", "8.9 M parameters", 32, (640, 640), _coco("s", "20220905_161602-387a891e")
                ),
                VariantInfo(
                    "m", "24.7 M parameters", 32, (640, 640), _coco("m", "20220719_112220-229f527c")
                ),
                VariantInfo(
                    "l", "52.3 M parameters", 32, (640, 640), _coco("l", "20220719_112030-5a0be7c4")
                ),
            ),
            default_variant="nano",
        )
    ]
