"""The tasks, head kinds, formats and checks edgectl has itself, offered through the hooks plugins use."""

from __future__ import annotations

from edgectl.plugins.head import HeadKind
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import CheckInfo, DecoderInfo, FormatInfo, TaskInfo

_WRITTEN = ("coco-roboflow", "coco-2017", "voc", "yolo", "csv", "folder")
_FORMATS = (
    *(
        "lmdb",
        "coco-roboflow",
        "coco-2017",
        "coco",
        "coco-file",
        "datumaro",
        "cvat",
        "edge-impulse",
    ),
    *("voc", "kitti", "yolo", "labelme", "label-studio", "openimages", "csv", "folder"),
)
"""In the order a set is tried with."""
_FALLBACK = "folder"
"""Folders of images are what remains when nothing says what is in them."""


@hookimpl
def edgectl_register_tasks() -> list[TaskInfo]:
    """Objects as points, objects as boxes, and the class of the whole image."""
    return [
        TaskInfo(
            name="centroid",
            summary="the centers of objects",
            entry="edgectl.tasks.centroid:CentroidTask",
            main_metric="f1",
            labels="boxes",
            decoder="cells",
            heads=("cell_logits",),
            operating_point=True,
        ),
        TaskInfo(
            name="detection",
            summary="boxes around objects",
            entry="edgectl.tasks.detection:DetectionTask",
            main_metric="AP",
            labels="boxes",
            decoder="boxes",
            heads=(
                "class_logits",
                "box_distances",
                "box_log_distances",
                "box_pixels",
                "box_distributions",
                "box_centers",
                "centerness_logits",
                "objectness_logits",
            ),
            # scoring wants even the faintest boxes, people do not
            shown_threshold=0.3,
        ),
        TaskInfo(
            name="classification",
            summary="the class of the whole image",
            entry="edgectl.tasks.classification:ClassificationTask",
            main_metric="top1",
            labels="image",
            decoder="classes",
            heads=("class_logits",),
            empty_images=False,
            most_shown=3,
        ),
    ]


@hookimpl
def edgectl_register_heads() -> list[HeadKind]:
    """What the heads of the built-in tasks hold."""
    return [
        HeadKind(
            name="class_logits",
            summary="a score a class",
            part="scores",
            per_class=1,
            activations=("sigmoid", "softmax"),
        ),
        HeadKind(
            name="cell_logits",
            summary="a score a class for every cell, after that of the background",
            part="scores",
            per_class=1,
            fixed=1,
            activations=("sigmoid", "softmax"),
            background=True,
            suppression="neighbors",
            note="In grids of cells, channel 0 is the background.",
        ),
        HeadKind(
            name="centerness_logits",
            summary="how central a cell is in its object, or how well its box fits",
            part="quality",
            fixed=1,
            activations=("sigmoid",),
            combine="geometric_mean",
            note="A score is the square root of class score times center-ness.",
        ),
        HeadKind(
            name="box_distances",
            summary="distances from the cell's point to left, top, right and bottom, in strides",
            part="sides",
            fixed=4,
            unit="stride",
            suppression="overlap",
        ),
        HeadKind(
            name="box_log_distances",
            summary="logarithms of the distances from the cell's point to left, top, right and "
            "bottom, in strides",
            part="sides",
            fixed=4,
            transform="exp",
            unit="stride",
            suppression="overlap",
            note="Distances are stored as logarithms: take `exp` of them first.",
        ),
        HeadKind(
            name="box_pixels",
            summary="distances from the cell's point to left, top, right and bottom, in pixels of the "
            "network's input",
            part="sides",
            fixed=4,
            suppression="overlap",
            note="Distances are pixels already: nothing is multiplied.",
        ),
        HeadKind(
            name="box_distributions",
            summary="for each of left, top, right and bottom 16 numbers, whose softmax weighs the distances "
            "0 to 15, in strides",
            part="sides",
            fixed=64,
            transform="expectation",
            unit="stride",
            suppression="overlap",
            note="A distance is the mean of 0 to 15 under the softmax of its 16 numbers.",
        ),
        HeadKind(
            name="box_centers",
            summary="x and y of the box's middle, seen from the cell's point, and the logarithms of its "
            "width and height, in strides",
            part="sides",
            fixed=4,
            transform="center",
            unit="stride",
            suppression="overlap",
            note="Width and height are stored as logarithms: take `exp` of them first.",
        ),
        HeadKind(
            name="objectness_logits",
            summary="whether there is an object",
            part="quality",
            fixed=1,
            activations=("sigmoid",),
            combine="product",
            note="A score is the product of class score and objectness.",
        ),
        HeadKind(
            name="tensor",
            summary="numbers whose meaning only the network's maker knows",
            part="values",
        ),
    ]


@hookimpl
def edgectl_register_decoders() -> list[DecoderInfo]:
    """Rules for heads that are no family's."""
    place = "edgectl.tasks.foreign_heads"
    return [
        DecoderInfo(
            "classify", "one output, a number a class", "classification", f"{place}:ClassifyRule"
        ),
        DecoderInfo(
            "yolox", "YOLOX: class, box and objectness a stride", "detection", f"{place}:YoloxRule"
        ),
        DecoderInfo(
            "yolov8",
            "YOLOv8, 9, 11, 12: box distribution and classes a stride",
            "detection",
            f"{place}:Yolov8Rule",
        ),
    ]


@hookimpl
def edgectl_register_formats() -> list[FormatInfo]:
    """Those of :data:`edgectl.data.formats.FORMATS` and :data:`edgectl.data.formats.writing.WRITERS`."""
    reader, writer = "edgectl.data.formats:FORMATS", "edgectl.data.formats.writing:WRITERS"
    return [
        FormatInfo(
            name,
            reader,
            writer=writer if name in _WRITTEN else "",
            fallback=name == _FALLBACK,
        )
        for name in _FORMATS
    ]


@hookimpl
def edgectl_register_checks() -> list[CheckInfo]:
    """Those of :data:`edgectl.data.inspect.checks.CHECKS`."""
    return [
        CheckInfo(
            "labels-and-images",
            "faults of labels, images, classes and splits",
            "edgectl.data.inspect.checks:CHECKS",
        )
    ]
