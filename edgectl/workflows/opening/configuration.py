"""The configuration of one call: all layers, with what the caller gave on top."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgectl.errors import UsageError
from edgectl.spec import LARGEST_SIDE, Size

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig


def parse_size(text: str) -> Size:
    """``192`` or ``192x256`` (height x width). Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9})(?:[x, ](\d{1,9}))?", text.strip())
    size = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
    if not all(0 < side <= LARGEST_SIDE for side in size):
        raise UsageError(
            f"not a size: '{text}'",
            where="--imgsz",
            fix=f"write --imgsz H W or --imgsz N, up to {LARGEST_SIDE} pixels",
        )
    return size


def resolve_config(
    preset: dict[str, Any], flags: dict[str, Any], assignments: Sequence[str]
) -> RunConfig:
    """All layers in order; ``flags`` are a nested table of what was given."""
    from edgectl.config.layers import (
        Layer,
        environment_layer,
        project_layer,
        resolve,
        set_layer,
        user_layer,
    )

    layers: list[Layer | None] = [
        Layer("the family's preset", preset),
        user_layer(),
        project_layer(Path.cwd()),
        environment_layer(os.environ),
        set_layer(assignments),
        Layer("the command line", flags),
    ]
    config, _ = resolve(layers)
    return config


def apply_overrides(
    config: RunConfig, flags: dict[str, Any], assignments: Sequence[str]
) -> RunConfig:
    """A checkpoint's configuration with the words of this command line on top."""
    from edgectl.config.layers import Layer, machine_layer, resolve, set_layer

    table = config.model_dump(mode="json", exclude_none=True, exclude={"tools"})
    result, _ = resolve(
        [
            Layer("the checkpoint", table),
            machine_layer(),
            set_layer(assignments),
            Layer("the command line", flags),
        ]
    )
    return result
