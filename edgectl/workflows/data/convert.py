"""Writes a set again in another format, images included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.data.formats import read_dataset
from edgectl.data.formats.writing import write_dataset
from edgectl.data.inspect.stats import describe
from edgectl.workflows.arguments import PathLike, Settings
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class ConvertedData:
    """The set that was written. ``source``: the format it was read in. ``format``: its own."""

    directory: Path
    source: str
    format: str
    images: int
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data convert --json``."""
        return {"directory": str(self.directory), "from": self.source, **self.facts}


def convert_data(
    data: PathLike,
    out: PathLike,
    *,
    to: str,
    format: str = "auto",  # noqa: A002 - what the command calls --from
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> ConvertedData:
    """``edgectl data convert``: each argument is its option, ``format`` is ``--from``.

    Args:
        data: a catalog name, a directory or an annotation file.
        out: a new directory.

    Raises:
        UsageError: a format nobody writes.
    """
    context = open_context(console, offline)
    index = open_data(context, str(data), resolve_data_config(set, images, format))
    with context.console.bar("writing images", index.count_images()) as done:
        write_dataset(index, Path(out), to, lambda: done(1))
    crowd = sum(int(s.crowd.sum()) for v in index.splits.values() for s in v)
    if crowd and to == "yolo":
        context.console.warn(f"{crowd} crowd regions left out: YOLO labels cannot say them")
    written = read_dataset(Path(out))
    total = sum(len(v) for v in written.splits.values())
    return ConvertedData(Path(out), index.format, written.format, total, describe(written))
