"""What the distribution registers. Light: every edgectl command imports it."""

from __future__ import annotations

from edgectl.plugins.head import HeadKind
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import DatasetInfo, FamilyInfo, FormatInfo, TaskInfo, VariantInfo

TASK = "pointer-meter"
HEAD = "point_coordinates"
FORMAT = "points-csv"
DATASET = "demo_dials"


@hookimpl
def edgectl_register_tasks() -> list[TaskInfo]:
    """One point of every kind in each image."""
    return [
        TaskInfo(
            name=TASK,
            summary="the key points of a dial and what its pointer shows",
            entry="edgectl_meter.task:MeterTask",
            main_metric="acc",
            labels="own",
            decoder="points",
            heads=(HEAD,),
            empty_images=False,
        )
    ]


@hookimpl
def edgectl_register_heads() -> list[HeadKind]:
    """x and y of every key point."""
    return [
        HeadKind(
            name=HEAD,
            summary="x and y of every key point, as shares of the input's width and height",
            part="values",
            per_class=2,
            unit="input",
            note="Channels are x, y of the first key point, x, y of the second and so on, in the order of "
            "`labels.txt`; multiply x by the input's width and y by its height.",
        )
    ]


@hookimpl
def edgectl_register_families() -> list[FamilyInfo]:
    """One family, two input sizes."""
    return [
        FamilyInfo(
            name="meter",
            task=TASK,
            summary="key points of a dial by regression, after PFLD",
            entry="edgectl_meter.model:MeterFamily",
            variants=(
                VariantInfo("x112", "0.5 M parameters", 16, (112, 112)),
                VariantInfo("x192", "1.3 M parameters", 16, (192, 192)),
            ),
            default_variant="x112",
        )
    ]


@hookimpl
def edgectl_register_formats() -> list[FormatInfo]:
    """Read only."""
    return [FormatInfo(FORMAT, reader="edgectl_meter.points_csv:FORMAT")]


@hookimpl
def edgectl_register_datasets() -> list[DatasetInfo]:
    """Dials that need no network to get."""
    return [
        DatasetInfo(
            name=DATASET,
            summary="drawn dials with four key points, 720 images",
            licence="Apache-2.0",
            generate="edgectl_meter.dials:generate",
            format=FORMAT,
        )
    ]
