"""A data set by name, directory or annotation file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgectl.errors import UsageError
from edgectl.workflows.opening.context import Context

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig
    from edgectl.data.index import DatasetIndex

_NAMED = 5
"""Images left out that a warning names."""


def open_data(
    context: Context, name: str, config: RunConfig, *, quiet: bool = False
) -> DatasetIndex:
    """Opens DATA and warns of what its reader had to mend, unless ``quiet``."""
    from edgectl.data.catalog.opening import open_dataset
    from edgectl.data.formats.reading.options import ReadOptions
    from edgectl.data.index import summarize_repairs

    if not name:
        raise UsageError(
            "no data set", fix="add --data DATA; 'edgectl data list' shows the named ones"
        )
    entry = config.datasets.get(name)
    fmt = config.data.format
    index = open_dataset(
        name if entry is None else entry.path,
        infos=context.registry.datasets.infos(),
        fmt=entry.format if entry is not None and fmt == "auto" else fmt,
        offline=context.offline,
        say=context.console.note,
        options=ReadOptions(
            Path(config.data.images) if config.data.images else None,
            config.data.yolo_columns,
            config.data.on_error == "skip",
        ),
    )
    if entry is not None:
        index.name = name
    if config.data.classes:
        index = index.restricted(config.data.classes)
    if quiet:
        return index
    for line in summarize_repairs(index.repairs):
        context.console.warn(line)
    return index


def open_run_data(context: Context, name: str, config: RunConfig) -> DatasetIndex:
    """DATA for training, scoring and calibrating: as :func:`open_data`, with a validation split where the
    set has none, and without unreadable images where ``data.on_error`` says so."""
    from edgectl.data.select.made_valid import lacks_valid, make_valid
    from edgectl.data.select.readable import leave_out_unreadable

    index = open_data(context, name, config)
    images = index.count_images()
    if config.data.on_error == "skip":
        with context.console.bar("reading images", images) as done:
            index, skipped = leave_out_unreadable(index, lambda: done(1))
        if skipped:
            names = ", ".join(path.name for path, _ in skipped[:_NAMED])
            more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
            context.console.warn(
                f"{len(skipped)} of {images} images cannot be read and are left out: {names}{more}"
            )
    if config.data.valid_split == "valid" and lacks_valid(index):
        with context.console.bar("making a split", len(index.splits["train"])) as done:
            index = make_valid(index, lambda: done(1))
    return index


def restrict_to_classes(
    context: Context, index: DatasetIndex, classes: Sequence[str]
) -> DatasetIndex:
    """The set with the model's classes only, where it has more."""
    if index.classes != tuple(classes) and set(classes) < set(index.classes):
        context.console.warn(f"scored on the model's classes only: {', '.join(classes)}")
        return index.restricted(tuple(classes))
    return index
