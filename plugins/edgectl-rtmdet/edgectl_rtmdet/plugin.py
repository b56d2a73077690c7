"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import FamilyInfo, VariantInfo, WeightsSource

_PUBLISHED = "https://download.openmmlab.com/"
_DETECTORS = _PUBLISHED + "mmdetection/v3.0/rtmdet/"


def _weights(filename: str, url: str) -> WeightsSource:
    return WeightsSource(
        filename=filename,
        url=url,
        licence="Apache-2.0",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
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


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """RTMDet from nano to l."""
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
