"""What edgectl offers through the hooks of plugins: data sets here, the rest from ``plugins.builtin``."""

from __future__ import annotations

from edgectl.plugins.builtin import (
    edgectl_register_checks,
    edgectl_register_decoders,
    edgectl_register_formats,
    edgectl_register_heads,
    edgectl_register_tasks,
)
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import DatasetInfo

__all__ = [
    "edgectl_register_checks",
    "edgectl_register_datasets",
    "edgectl_register_formats",
    "edgectl_register_decoders",
    "edgectl_register_heads",
    "edgectl_register_tasks",
]


@hookimpl
def edgectl_register_datasets() -> list[DatasetInfo]:
    """A real set to compare with published figures, and a drawn one that needs no network."""
    return [
        DatasetInfo(
            name="coco_mask",
            summary="faces with and without masks, 149 images",
            licence="public domain",
            directories=("coco_mask", "mask"),
            url="https://files.seeedstudio.com/sscma/datasets/coco_mask.zip",
        ),
        DatasetInfo(
            name="coco128",
            summary="COCO 2017, 128 training and 128 validation images, 80 classes",
            licence="annotations CC BY 4.0, images Flickr terms",
            directories=("coco128",),
            format="coco-2017",
        ),
        DatasetInfo(
            name="digits01",
            summary="cards with the digits 0 and 1, 600 images, a class each",
            licence="Apache-2.0",
            directories=("digits01",),
            format="folder",
        ),
        DatasetInfo(
            name="coco2017",
            summary="COCO 2017 as its makers publish it, 118 k and 5 k images, 80 classes; to be "
            "unpacked by hand: annotations/, train2017/, val2017/",
            licence="annotations CC BY 4.0, images Flickr terms",
            directories=("coco2017", "coco"),
            format="coco-2017",
        ),
        DatasetInfo(
            name="demo_mask",
            summary="drawn faces with and without masks, 420 images",
            licence="Apache-2.0",
            directories=("demo_mask",),
            generate="edgectl.data.catalog.demo:generate",
        ),
    ]
