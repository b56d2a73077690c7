"""Counts images, boxes, classes and sizes of every split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgectl.data.inspect.stats import describe
from edgectl.workflows.arguments import PathLike, Settings
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class DataFacts:
    """``facts``: name, format, classes and, for every split, images, boxes, counts and sizes."""

    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data info --json``."""
        return self.facts


def describe_data(
    data: PathLike,
    *,
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> DataFacts:
    """``edgectl data info``. ``data``: a catalog name, a directory or an annotation file.

    Raises:
        DataError: no data set there.
    """
    context = open_context(console, offline)
    return DataFacts(describe(open_data(context, str(data), resolve_data_config(set, images))))
