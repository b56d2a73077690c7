"""``config.resolved.toml``: everything a run used, in a file that reproduces it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from edgectl.config.layers import file_layer, validate
from edgectl.config.schema import RunConfig


def dumps(config: RunConfig) -> str:
    """TOML; keys whose value is None are left out, as TOML has no null."""
    return tomli_w.dumps(_plain(config.model_dump(mode="json")))


def load(path: Path) -> RunConfig:
    """Raises ConfigError when the file is not TOML or no longer valid."""
    return validate(RunConfig, file_layer(path).table, prefix="")


def flatten_table(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten_table(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    return value
