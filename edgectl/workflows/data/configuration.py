"""The configuration of a call that only opens a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgectl.workflows.arguments import PathLike, Settings, read_settings
from edgectl.workflows.opening.configuration import resolve_config

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig


def resolve_data_config(
    settings: Settings, images: PathLike | None = None, fmt: str = "auto"
) -> RunConfig:
    """All layers.

    Args:
        images: directory of the images, where it is not beside the labels.
    """
    given = {"images": "" if images is None else str(images), "format": fmt}
    flags = {k: v for k, v in given.items() if v not in ("", "auto")}
    return resolve_config({}, {"data": flags}, read_settings(settings))
