"""What every workflow stands on."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edgectl.plugins.registry import Registry, build_registry
from edgectl.workflows.console import SILENT, Console


@dataclass(frozen=True)
class Context:
    """Attributes:
    registry: what the installed plugins offer.
    console: whom to tell what is going on.
    offline: nothing is downloaded.
    """

    registry: Registry
    console: Console = SILENT
    offline: bool = False


def open_context(console: Console | None = None, offline: bool = False) -> Context:
    """Reads the registry. ``EDGECTL_OFFLINE=1`` forbids the network as ``offline`` does."""
    return Context(build_registry(), console or SILENT, offline or is_offline_by_environment())


def is_offline_by_environment() -> bool:
    """Whether ``EDGECTL_OFFLINE`` is set to anything but 0."""
    return os.environ.get("EDGECTL_OFFLINE", "") not in ("", "0")
