"""What callers may write for a model, a size, a setting: read into what the configuration takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edgectl.spec import Size
from edgectl.workflows.opening.configuration import parse_size

PathLike: TypeAlias = str | os.PathLike[str]
"""A path. A model may be named by a path, or by the ``Run`` or ``Artifact`` itself."""
SizeLike: TypeAlias = str | int | Sequence[int]
"""``192``, ``(192, 256)`` (height, width), or as on the command line ``"192x256"``."""
Settings: TypeAlias = Mapping[str, Any] | Sequence[str]
"""``{"train.optimizer.lr": 0.01}``, or as on the command line ``["train.optimizer.lr=0.01"]``."""


def read_path(path: PathLike | None) -> Path | None:
    """None stays None: the latest run."""
    return None if path is None else Path(path)


def read_size(size: SizeLike) -> Size:
    """(height, width). Raises UsageError."""
    if isinstance(size, str):
        return parse_size(size)
    sides = (size,) if isinstance(size, int) else tuple(size)
    return parse_size("x".join(map(str, sides)))


def read_settings(settings: Settings) -> list[str]:
    """As ``key=value``, the value in TOML."""
    if isinstance(settings, Mapping):
        return [f"{key}={json.dumps(value, default=str)}" for key, value in settings.items()]
    return list(settings)


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys to a nested table. None means: not given."""
    table: dict[str, Any] = {}
    for key, value in flat.items():
        if value is None:
            continue
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return table


def spell_options(options: Mapping[str, Any]) -> list[str]:
    """``{"imgsz": (192, 256), "lr": None}`` as ``["--imgsz", "192x256"]``. A list is one option an
    element."""
    words: list[str] = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None or one == "":
                continue
            text = "x".join(map(str, one)) if isinstance(one, tuple) else str(one)
            words += [f"--{name.replace('_', '-')}", text]
    return words
