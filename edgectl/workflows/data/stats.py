"""Counts object sizes, shapes and crowding of every split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.data.inspect.histograms import histograms, plot
from edgectl.data.inspect.stats import describe
from edgectl.files import replacing_file
from edgectl.workflows.arguments import PathLike, Settings, SizeLike, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class DataStats:
    """``facts``: what ``data info`` tells. ``histograms``: ``edges`` and, a split, ``counts`` of each
    property. ``plot``: the picture that was written."""

    facts: dict[str, Any]
    histograms: dict[str, Any]
    plot: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data stats --json``."""
        data = {**self.facts, "histograms": self.histograms}
        return data if self.plot is None else {**data, "plot": str(self.plot)}


def measure_data(
    data: PathLike,
    *,
    imgsz: SizeLike = 192,
    out: PathLike | None = None,
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> DataStats:
    """``edgectl data stats``: each argument is its option.

    Args:
        data: a catalog name, a directory or an annotation file.
        imgsz: input size of the network in mind.
        out: a PNG to write.

    Raises:
        DataError: no data set there.
    """
    context = open_context(console, offline)
    index = open_data(context, str(data), resolve_data_config(set, images))
    with context.console.bar("counting images", index.count_images()) as done:
        document = histograms(index, read_size(imgsz), lambda: done(1))
    found = DataStats(describe(index), document)
    if out is None:
        return found
    with replacing_file(Path(out)) as f:
        plot(found.histograms, f)
    return DataStats(found.facts, found.histograms, Path(out))
