"""Draws a contact sheet of images with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.inspect import sheet
from edgectl.errors import UsageError
from edgectl.files import replacing_file
from edgectl.workflows.arguments import PathLike, Settings, SizeLike, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class Preview:
    """The file, and the images on it."""

    file: Path
    images: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data preview --json``."""
        return {"file": str(self.file), "images": list(self.images)}


def preview_data(
    data: PathLike,
    *,
    out: PathLike = "preview.png",
    split: str = "train",
    count: int = 16,
    imgsz: SizeLike = 192,
    seed: int = 0,
    augmented: bool = False,
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> Preview:
    """``edgectl data preview``: each argument is its option.

    Args:
        data: a catalog name, a directory or an annotation file.
        augmented: as detection training sees them.
        set: keys of ``augment``.

    Raises:
        UsageError: no such split, or images that detection does not augment.
    """
    config = resolve_data_config(set, images)
    context = open_context(console, offline)
    index = open_data(context, str(data), config)
    if split not in index.splits:
        raise UsageError(f"no split '{split}'", fix="one of " + ", ".join(sorted(index.splits)))
    samples = index.splits[split]
    order = np.random.default_rng(seed).permutation(len(samples))[:count]
    chosen = [samples[i] for i in sorted(order)]
    size = read_size(imgsz)
    if augmented and chosen[0].image_label is not None:
        raise UsageError(
            "--augmented draws detection's augmentation; this set labels whole images",
            fix="leave --augmented out",
        )
    prepared = (
        sheet.augmented(chosen, index.classes, size, config.augment, seed)
        if augmented
        else sheet.plain(chosen, index.classes, size)
    )
    shown = []
    with context.console.bar("drawing images", len(chosen)) as done:
        for image in prepared:
            shown.append(image)
            done(1)
    drawn = sheet.contact_sheet(shown, index.classes)
    with replacing_file(Path(out)) as f:
        f.write(sheet.png(drawn))
    return Preview(Path(out), tuple(s.path.name for s in chosen))
